import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { adapterDestination } from '../../lib/adapter.destination.js';
import type { CallMaker, SingleCall } from '../../lib/emission/destination.js';
import type { Emission } from '../../lib/emission/emission.js';
import { Consumer } from '../../lib/pipeline/consumer.js';
import { pipelineOptions } from '../../lib/pipeline/pipeline.options.js';
import { RecordingAdapter } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench, handTurned } from '../support/pipeline.js';

beforeAll(silence);

const options = pipelineOptions.resolve({}, 'pipeline');
const CAPACITY = 6;

/** A handler; `call` gets the attempt when it asks for it, and says whether it goes on. */
function consumer(
  call: (own: () => SingleCall) => boolean,
  { isPrompt = true, once = false, attempts = 1, outside = handTurned.outside } = {},
): Consumer {
  const settings = {
    batchSize: 1,
    capacity: CAPACITY,
    overflow: 'reject',
    concurrency: 3,
    retry: { attempts },
  } as const;
  const served = adapterDestination('x', { deliver: () => {} }, settings, options);
  return new Consumer(
    {
      ...served,
      kind: 'handler',
      once,
      isPrompt,
      handle: (_emission: Emission, own: SingleCall) => call(() => own),
      handlePromptly: (_emission: Emission, maker: CallMaker) => {
        let made: SingleCall | undefined;
        const goesOn = call(() => (made ??= maker.own()));
        return goesOn ? (made ?? maker.own()) : undefined;
      },
    },
    { ...handTurned, outside },
  );
}

const some = fc.integer({ min: 1, max: 3 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ accept: some }) },
  { weight: 2, arbitrary: fc.record({ push: some }) },
  { weight: 3, arbitrary: fc.record({ promise: some }) },
  { weight: 2, arbitrary: fc.record({ release: fc.constant(true) }) },
  { weight: 2, arbitrary: fc.record({ redeem: fc.constant(true) }) },
  { weight: 8, arbitrary: fc.record({ receive: fc.constantFrom('return', 'go on', 'throw') }) },
  { weight: 3, arbitrary: fc.record({ succeed: fc.constant(true) }) },
  { weight: 2, arbitrary: fc.record({ turn: fc.constant(true) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

describe('The room of a consumer', () => {
  it('is what is left of its capacity, whatever it was asked for and got before', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.boolean(),
        (steps: Step[], isPrompt) => {
          using bench = new Bench();
          let next: 'return' | 'go on' | 'throw' = 'return';
          const calls: SingleCall[] = [];
          let handed = 0;
          let over = 0;
          const made = consumer(
            (own) => {
              // What is being called counts.
              expect(made.pending).toBe(handed - over);
              if (next === 'throw') {
                over++;
                throw new Error('no');
              }
              if (next === 'return') over++;
              else calls.push(own());
              return next === 'go on';
            },
            { isPrompt },
          );
          const arriving: Emission[] = [];
          const promised: Emission[][] = [];
          const take = (count: number): Emission[] => {
            handed += count;
            return bench.emissions(count);
          };
          const make = (what: Step): void => {
            if ('accept' in what && made.canAccept(what.accept)) {
              const emissions = take(what.accept);
              made.accept(emissions);
              arriving.push(...emissions);
            }
            if ('push' in what && made.room >= what.push) made.push(take(what.push));
            if ('promise' in what && made.room >= what.promise) {
              promised.push(bench.emissions(what.promise));
              made.promise(what.promise);
            }
            if ('release' in what && promised.length > 0) made.release(promised.shift()!.length);
            if ('redeem' in what && promised.length > 0) {
              const emissions = promised.shift()!;
              handed += emissions.length;
              made.redeem(emissions);
            }
            if ('receive' in what && arriving.length > 0) {
              next = what.receive;
              made.receive(arriving.shift()!, undefined);
            }
            if ('succeed' in what && calls.length > 0) {
              over++;
              calls.shift()!.succeeded();
            }
            if ('turn' in what) {
              next = 'return';
              made.turn();
            }
          };
          for (const each of steps) {
            make(each);
            expect(made.pending).toBe(handed - over);
            expect(made.room).toBe(CAPACITY - made.pending - promised.flat().length);
            for (let count = 1; count <= CAPACITY + 1; count++)
              expect(made.canAccept(count)).toBe(count <= made.room);
          }
          made.close('shutdown', true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is none for a second commit, where it takes one emission in its life', () => {
    expect(consumer(() => false, { once: true }).canAccept(1)).toBe(false);
  });
});

describe('A call that is to return at once', () => {
  it('is given up with everything else when all is closed meanwhile, and counts once', () => {
    using bench = new Bench();
    const left: number[] = [];
    for (const goesOn of [false, true]) {
      const made = consumer(() => {
        left.push(made.close('shutdown', true), made.pending);
        return goesOn;
      });
      const emissions = bench.emissions(2);
      made.accept(emissions);
      for (const emission of emissions) made.receive(emission, undefined);
      left.push(made.pending);
    }
    expect(left).toEqual([2, 0, 0, 2, 0, 0]);
  });

  it('leaves nothing behind when it throws after all was closed, and is not to be made again', () => {
    using bench = new Bench();
    let timers = 0;
    const made = consumer(
      () => {
        made.close('shutdown', true);
        throw new Error('no');
      },
      { attempts: 2, outside: (arm) => (timers++, arm()) },
    );
    const [emission] = bench.emissions(1);
    made.accept([emission!]);
    made.receive(emission!, undefined);
    expect(timers).toBe(0);
    expect(made.pending).toBe(0);
  });

  it('is the last of a consumer that is removed meanwhile', () => {
    using bench = new Bench();
    let calls = 0;
    const made = consumer(() => {
      calls++;
      if (calls === 2) made.close('removed', false);
      return false;
    });
    const emissions = bench.emissions(4);
    made.accept(emissions);
    for (const emission of emissions) made.receive(emission, undefined);
    expect(calls).toBe(2);
    expect(made.pending).toBe(0);
  });

  it('is one of those that run side by side', () => {
    using bench = new Bench();
    const emissions = bench.emissions(5);
    let begun = 0;
    // Each call brings the next emission, as far as `concurrency` (3) allows.
    const made = consumer(() => {
      const emission = emissions[++begun];
      if (emission !== undefined) made.receive(emission, undefined);
      return false;
    });
    made.accept(emissions);
    made.receive(emissions[0]!, undefined);
    expect(begun).toBe(3);
    expect(made.pending).toBe(2);
  });

  it('takes the place of one that runs side by side when it goes on after all', () => {
    using bench = new Bench();
    const calls: SingleCall[] = [];
    const made = consumer((own) => {
      calls.push(own());
      return true;
    });
    const emissions = bench.emissions(5);
    made.accept(emissions);
    for (const emission of emissions) made.receive(emission, undefined);
    expect(calls).toHaveLength(3);
    calls[0]!.succeeded();
    made.turn();
    expect(calls).toHaveLength(4);
    expect(made.pending).toBe(4);
  });

  it('is not made at once for what may expire: that is queued', () => {
    using bench = new Bench();
    let calls = 0;
    const made = consumer(() => {
      calls++;
      return false;
    });
    const [emission] = bench.emissions(1, { ttlMs: 60_000 });
    made.accept([emission!]);
    made.receive(emission!, undefined);
    expect([calls, made.pending]).toEqual([0, 1]);
    made.close('shutdown', true);
  });

  it('forgets how often calls had failed before', () => {
    using bench = new Bench();
    let fails = true;
    const made = consumer(() => {
      if (fails) throw new Error('no');
      return false;
    });
    const emissions = bench.emissions(3);
    made.accept(emissions);
    for (const emission of emissions.slice(0, 2)) made.receive(emission, undefined);
    expect(made.failures).toBe(2);
    fails = false;
    made.receive(emissions[2]!, undefined);
    expect(made.failures).toBe(0);
  });
});

describe('A consumer that collects batches', () => {
  it('takes no notice of what arrives at others, and sheds instead of refusing where it may', () => {
    using bench = new Bench();
    const adapter = new RecordingAdapter();
    const settings = { batchSize: 2, capacity: 2, overflow: 'drop-oldest' } as const;
    const made = new Consumer(adapterDestination('x', adapter, settings, options), handTurned);
    const emissions = bench.emissions(3);
    expect(made.canAccept(3)).toBe(true);
    expect(made.accept(emissions)).toBe(false);
    made.turn();
    // What it has been called with arrives at a handler only now.
    for (const emission of emissions) expect(made.receive(emission, undefined)).toBe(false);
    expect(adapter.batches.map((batch) => batch.map(({ payload }) => payload))).toEqual([[2, 3]]);
    expect(made.pending).toBe(0);
  });
});
