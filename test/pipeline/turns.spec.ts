import { AsyncLocalStorage } from 'node:async_hooks';
// Not the global one, which a test stops.
import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RecordingAdapter, ScriptedAdapter } from '../support/adapters.js';
import { Turns } from '../../lib/pipeline/turns.js';
import { silence } from '../support/logs.js';
import { Bench } from '../support/pipeline.js';
import { keepBusy, nextRound } from '../support/until.js';

beforeEach(silence);

/** Something of the application, or of another library, that follows the asynchronous execution. */
const storage = new AsyncLocalStorage<string>();

/** Remembers what it finds there with each call. */
class Looking extends RecordingAdapter {
  readonly found: unknown[] = [];

  constructor(private readonly then: (look: Looking) => void | Promise<void> = () => {}) {
    super();
  }

  override deliver(): void | Promise<void> {
    this.look();
    return this.then(this);
  }

  look(): void {
    this.found.push(storage.getStore());
  }
}

describe('A delivery', () => {
  it('runs outside the async context of whoever committed', async () => {
    using bench = new Bench();
    const adapter = bench.serve(
      new Looking(async (look) => {
        await nextRound();
        look.look();
      }),
    );
    await storage.run('request', () => bench.commit());
    await bench.settled();

    expect(adapter.found).toEqual([undefined, undefined]);
  });

  it('runs there also when it is retried, when it comes late, and when the commit had to wait', async () => {
    using bench = new Bench();
    const fails = bench.serve(
      new Looking((look) => {
        if (look.found.length === 1) throw new Error('once');
      }),
      { retry: { attempts: 2, backoffMs: 0 } },
    );
    const late = bench.serve(new Looking(), { maxWaitMs: 1 });
    const full = bench.serve(new Looking(() => nextRound()), { capacity: 1 });
    await storage.run('first', () => bench.commit());
    await storage.run('second', () => bench.commit());
    await bench.settled();

    expect(fails.found).toEqual([undefined, undefined, undefined]);
    expect(new Set([...late.found, ...full.found])).toEqual(new Set([undefined]));
  });

  it('runs there also when the one before it ended in some other context', async () => {
    using bench = new Bench({ batchSize: 1 });
    type Settle = () => void;
    const foreign = {
      // oxlint-disable-next-line unicorn/no-thenable -- as some libraries return in place of a promise
      then: (resolve: Settle, reject: Settle) =>
        storage.run('foreign', looking.found.length === 1 ? reject : resolve),
    };
    const looking = new Looking(() => foreign as never);
    bench.serve(looking, { retry: { attempts: 2, backoffMs: 0 } });
    await bench.commit(3);
    await bench.settled();

    expect(looking.found).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('keeps to itself what it puts into its context', async () => {
    using bench = new Bench({ batchSize: 1 });
    const enters = () => storage.enterWith('mine');
    const entering = [bench.serve(new Looking(enters)), bench.serve(new Looking(enters))];
    const other = bench.serve(new Looking());
    await bench.commit(3);
    await bench.settled();
    await bench.commit(1);
    await bench.settled();

    for (const adapter of [...entering, other])
      expect(adapter.found).toEqual([undefined, undefined, undefined, undefined]);
    expect(storage.getStore()).toBeUndefined();
  });
});

describe('Turns', () => {
  it('begin after the commit: nothing is delivered in the same round of the event loop', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit();
    await Promise.resolve();
    expect(adapter.batches).toEqual([]);
    await nextRound();

    expect(adapter.batches).toHaveLength(1);
  });

  it('come also while a test has stopped the clock with everything that goes with it', async () => {
    jest.useFakeTimers({ doNotFake: [] });
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit();
    await bench.settled();
    jest.useRealTimers();

    expect(adapter.payloads).toEqual([1]);
  });

  it('come in the order of priority, then in the order the consumers were added', async () => {
    using bench = new Bench();
    const order: string[] = [];
    const said = (name: string) => new ScriptedAdapter(() => order.push(name));
    for (const [name, priority] of Object.entries({ d: 9, b: 0, c: 5, a: 0 }))
      bench.serveAs(said(name), { name, priority });
    await bench.commit();
    await bench.settled();

    expect(order).toEqual(['b', 'a', 'c', 'd']);
  });

  it('come in the order of priority also when the later of two emissions is for the first', async () => {
    using bench = new Bench();
    const order: string[] = [];
    bench.serveAs(new ScriptedAdapter(() => order.push('last')), {
      priority: 9,
      matches: (name) => name === 'one',
    });
    bench.serveAs(new ScriptedAdapter(() => order.push('first')), {
      priority: 0,
      matches: (name) => name === 'two',
    });
    await bench.pipeline.offer([bench.emission('one')]);
    await bench.pipeline.offer([bench.emission('two')]);
    await bench.settled();

    expect(order).toEqual(['first', 'last']);
  });
});

describe('A round', () => {
  it('ages also while a test has stopped the clock: the event loop is not held up', async () => {
    jest.useFakeTimers();
    try {
      const young: boolean[] = [];
      const turns = new Turns(() => {
        young.push(turns.isYoung);
        keepBusy(2);
        young.push(turns.isYoung);
        return false;
      });
      turns.call();
      await setImmediate();
      await setImmediate();
      expect(young).toEqual([true, false]);
    } finally {
      jest.useRealTimers();
    }
  });
});
