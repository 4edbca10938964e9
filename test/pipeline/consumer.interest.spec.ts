import { beforeEach, describe, expect, it } from '@jest/globals';
import { PatternError, type Emission } from 'nestjs-emissions';
import { Pattern } from '../../lib/emission/pattern.js';
import { RecordingAdapter } from '../support/adapters.js';
import { captureLogs, silence } from '../support/logs.js';
import { Bench } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { rounds } from '../support/until.js';

beforeEach(silence);

/** Wants what `wants` says. */
function choosy(wants: (emission: Emission) => unknown): RecordingAdapter {
  return Object.assign(new RecordingAdapter(), { interested: wants as never });
}

const isEven = ({ payload }: Emission): boolean => Number(payload) % 2 === 0;

describe('An adapter that says what it is interested in', () => {
  it('gets only that, in order; one that says nothing gets all', async () => {
    using bench = new Bench();
    const even = bench.serve(choosy(isEven));
    const all = bench.serve(new RecordingAdapter());
    await bench.commit(5);
    await bench.settled();

    expect(even.payloads).toEqual([2, 4]);
    expect(all.payloads).toEqual([1, 2, 3, 4, 5]);
  });

  it('has its batches filled after filtering, and signalled with their number', async () => {
    using bench = new Bench({ batchSize: 2 });
    using log = listen('emissions:adapter:delivered');
    const even = bench.serve(choosy(isEven));
    await bench.commit(6);
    await bench.settled();

    expect(even.sizes).toEqual([2, 1]);
    expect(log.all.map(({ message }) => message.count)).toEqual([2, 1]);
  });

  it('is not called, and nothing is signalled, when it wants nothing of a commit', async () => {
    using bench = new Bench();
    using log = listen('emissions:adapter:delivered', 'emissions:adapter:failed');
    const none = bench.serve(choosy(() => false));
    await bench.commit(3);
    await bench.settled();
    await rounds();

    expect(none.batches).toEqual([]);
    expect(log.all).toEqual([]);
  });

  it('is asked once per emission, inside the commit, with itself as this', async () => {
    using bench = new Bench();
    const asked: unknown[] = [];
    const adapter = bench.serve(
      new (class extends RecordingAdapter {
        readonly limit = 2;
        interested({ payload }: Emission): boolean {
          asked.push(payload);
          return Number(payload) <= this.limit;
        }
      })(),
    );
    const committed = bench.commit(3);
    expect(asked).toEqual([1, 2, 3]);
    await committed;
    await bench.settled();

    expect(asked).toEqual([1, 2, 3]);
    expect(adapter.payloads).toEqual([1, 2]);
  });

  it('answers from the state it has at that moment', async () => {
    using bench = new Bench();
    const adapter = choosy(() => adapter.emissions.length < 2);
    bench.serve(adapter);
    for (const first of [1, 2, 3]) {
      await bench.commit(1, undefined, first);
      await bench.settled();
    }

    expect(adapter.payloads).toEqual([1, 2]);
  });

  it('that throws misses that emission alone: the failure is signalled and logged, the commit and the others go on', async () => {
    using logs = captureLogs();
    using bench = new Bench();
    using log = listen('emissions:adapter:failed');
    const error = new Error('who knows');
    const adapter = choosy(({ payload }) => {
      if (payload === 2) throw error;
      return true;
    });
    bench.serve(adapter, { name: 'moody' });
    const other = bench.serve(new RecordingAdapter());
    await bench.commit(3);
    await bench.settled();

    expect(adapter.payloads).toEqual([1, 3]);
    expect(other.payloads).toEqual([1, 2, 3]);
    expect(log.all.map(({ message }) => message)).toEqual([
      {
        adapter: 'moody',
        phase: 'interested',
        emission: 'thing.happened',
        count: 1,
        durationMs: 0,
        attempt: 1,
        error,
      },
    ]);
    expect(logs.of('error')).toEqual([
      expect.stringMatching(/moody .*whether it wants.*who knows/),
    ]);
  });

  it('that answers with a promise is not taken at its word, even when that rejects', async () => {
    using bench = new Bench();
    using log = listen('emissions:adapter:failed');
    const resolving = bench.serve(choosy(() => Promise.resolve(false)));
    const rejecting = bench.serve(choosy(() => Promise.reject(new Error('later'))));
    // oxlint-disable-next-line unicorn/no-thenable -- as of another library
    const foreign = bench.serve(choosy(() => ({ then: () => {} })));
    await bench.commit();
    await bench.settled();
    await rounds();

    expect([resolving.batches, rejecting.batches, foreign.batches]).toEqual([[], [], []]);
    expect(log.all.map(({ message }) => (message.error as Error).message)).toEqual(
      Array.from({ length: 3 }, () => expect.stringContaining('must answer at once') as unknown),
    );
  });

  it('may answer with anything: what is true in an if is a yes', async () => {
    using bench = new Bench();
    const answers = [true, 1, 'yes', {}, false, 0, '', null, undefined];
    const adapters = answers.map((answer) => bench.serve(choosy(() => answer)));
    await bench.commit();
    await bench.settled();

    expect(adapters.map(({ batches }) => batches.length)).toEqual([1, 1, 1, 1, 0, 0, 0, 0, 0]);
  });
});

describe('A pattern that takes too long to answer for a name', () => {
  const hostile = new Pattern(/^(a+)+$/);
  const name = `${'a'.repeat(40)}!`;

  it('takes nothing of that name: signalled and logged once, and nobody else is affected', async () => {
    using logs = captureLogs();
    using bench = new Bench();
    using log = listen('emissions:handler:failed');
    const slow = bench.serveAs(new RecordingAdapter(), {
      name: 'slow',
      matches: (each) => hostile.matches(each),
    });
    const other = bench.serve(new RecordingAdapter());
    await bench.pipeline.offer([bench.emission(name), bench.emission('aaa')]);
    await bench.pipeline.offer([bench.emission(name)]);
    await bench.settled();

    expect(slow.names).toEqual(['aaa']);
    expect(other.names).toEqual([name, 'aaa', name]);
    expect(log.all.map(({ message }) => message)).toEqual([
      {
        handler: 'slow',
        phase: 'interested',
        emission: name,
        count: 1,
        durationMs: 0,
        attempt: 1,
        error: expect.any(PatternError),
      },
    ]);
    expect(logs.of('error')).toEqual([expect.stringMatching(/slow does not take 'a+!'/)]);
  });
});

describe('A handler that says what it is interested in', () => {
  it('gets only that; the one beside it gets all', async () => {
    using bench = new Bench();
    const even: unknown[] = [];
    const all: unknown[] = [];
    const consumer = { batchSize: 1 };
    bench.serveAs(choosy(isEven), {
      consumer,
      handle: ({ payload }) => (even.push(payload), false),
    });
    bench.serveAs(new RecordingAdapter(), {
      consumer,
      handle: ({ payload }) => (all.push(payload), false),
    });
    await bench.commit(5);
    await bench.settled();

    expect([even, all]).toEqual([
      [2, 4],
      [1, 2, 3, 4, 5],
    ]);
  });
});
