import { beforeEach, describe, expect, it } from '@jest/globals';
import { PartialDeliveryError, type Emission } from 'nestjs-emissions';
import { RecordingAdapter, ScriptedAdapter, failing } from '../support/adapters.js';
import { captureLogs, silence } from '../support/logs.js';
import { Bench, payloads } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { fakeTime, pass } from '../support/time.js';

const retry = { attempts: 3, backoffMs: 100, factor: 2, jitter: 0 };

beforeEach(silence);
fakeTime();

describe('A batch that fails', () => {
  it('is not tried again by default: it is given up, and the consumer gets the next batch', async () => {
    using bench = new Bench({ batchSize: 2 });
    using log = listen('emissions:adapter:failed', 'emissions:adapter:retried');
    const adapter = bench.serve(new ScriptedAdapter(failing(new Error('down'))));
    await bench.commit(4);
    await pass(0);

    expect(adapter.batches.map(payloads)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(log.of('emissions:adapter:failed')).toHaveLength(1);
    expect(log.of('emissions:adapter:retried')).toEqual([]);
  });

  it('leaves the others as they are', async () => {
    using bench = new Bench();
    const other = new RecordingAdapter();
    bench.serve({ deliver: failing(new Error('down')) });
    bench.serve(other);
    await bench.commit(3);
    await pass(0);

    expect(other.payloads).toEqual([1, 2, 3]);
  });

  it('is tried again after growing pauses, as often as is configured, and the next batch waits behind it', async () => {
    using bench = new Bench({ batchSize: 2 });
    const adapter = bench.serve(
      new ScriptedAdapter(failing(new Error('1')), failing(new Error('2'))),
      { retry },
    );
    await bench.commit(3);
    await pass(99);
    expect(adapter.batches).toHaveLength(1);
    await pass(1);
    expect(adapter.batches).toHaveLength(2);
    await pass(199);
    expect(adapter.batches).toHaveLength(2);
    await pass(1);

    expect(adapter.batches.map(payloads)).toEqual([[1, 2], [1, 2], [1, 2], [3]]);
    expect(adapter.contexts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 1]);
  });

  it('is signalled with each retry, and its success names the attempt', async () => {
    using bench = new Bench();
    using log = listen(
      'emissions:adapter:retried',
      'emissions:adapter:failed',
      'emissions:adapter:delivered',
    );
    const error = new Error('down');
    bench.serve(new ScriptedAdapter(failing(error), failing(error)), { name: 'audit', retry });
    await bench.commit(2);
    await pass(100);
    await pass(200);

    const common = {
      adapter: 'audit',
      phase: 'deliver',
      emission: 'thing.happened',
      count: 2,
      error,
      durationMs: expect.any(Number) as unknown,
    };
    expect(log.all).toEqual([
      {
        channel: 'emissions:adapter:retried',
        message: { ...common, attempt: 1, delayMs: 100 },
      },
      {
        channel: 'emissions:adapter:retried',
        message: { ...common, attempt: 2, delayMs: 200 },
      },
      {
        channel: 'emissions:adapter:delivered',
        message: {
          adapter: 'audit',
          emission: 'thing.happened',
          count: 2,
          attempt: 3,
          durationMs: expect.any(Number),
        },
      },
    ]);
  });

  it('is given up after the last attempt: signalled once, with the error and the count, and logged with its stack', async () => {
    using logs = captureLogs();
    using bench = new Bench();
    using log = listen('emissions:adapter:retried', 'emissions:adapter:failed');
    const error = new Error('down for good');
    bench.serve({ deliver: failing(error) }, { name: 'audit', retry });
    await bench.commit(2);
    await pass(100);
    await pass(200);

    expect(log.of('emissions:adapter:retried')).toHaveLength(2);
    expect(log.of('emissions:adapter:failed')).toEqual([
      {
        adapter: 'audit',
        phase: 'deliver',
        emission: 'thing.happened',
        count: 2,
        attempt: 3,
        error,
        durationMs: expect.any(Number),
      },
    ]);
    expect(logs.entries).toEqual([
      {
        level: 'error',
        message: expect.stringMatching(/adapter audit .*2 emissions.*attempt 3: down for good/),
        rest: [error.stack, 'Emissions'],
      },
    ]);
    expect(bench.pending('audit')).toBe(0);
  });

  it('is retried in part when a PartialDeliveryError says so: the rest counts as delivered', async () => {
    using bench = new Bench();
    using log = listen('emissions:adapter:delivered', 'emissions:adapter:retried');
    const adapter = bench.serve(
      new ScriptedAdapter((batch) => {
        throw new PartialDeliveryError([batch[2]!, batch[0]!]);
      }),
      { name: 'audit', retry },
    );
    await bench.commit(4);
    await pass(0);
    expect(bench.pending('audit')).toBe(2);
    await pass(100);

    expect(adapter.batches.map(payloads)).toEqual([
      [1, 2, 3, 4],
      [1, 3],
    ]);
    expect(log.all.map(({ channel, message }) => [channel, message.count])).toEqual([
      ['emissions:adapter:delivered', 2],
      ['emissions:adapter:retried', 2],
      ['emissions:adapter:delivered', 2],
    ]);
  });

  it('that is retried in part makes room for a commit that waits, while the part waits for its turn', async () => {
    using bench = new Bench();
    const adapter = bench.serve(
      new ScriptedAdapter(([first]) => {
        throw new PartialDeliveryError([first!]);
      }),
      { capacity: 2, retry },
    );
    await bench.commit(2);
    let done = false;
    void bench.commit(1, undefined, 3).then(() => (done = true));
    await pass(0);
    expect([done, adapter.batches.length]).toEqual([true, 1]);
    await pass(100);

    expect(adapter.batches.map(payloads)).toEqual([[1, 2], [1], [3]]);
  });

  it('holds up what comes while its destination is away: it gets everything afterwards, in order', async () => {
    using bench = new Bench();
    let away = true;
    const arrived: unknown[] = [];
    bench.serve(
      {
        deliver: (batch) => {
          if (away) throw new Error('restarting');
          arrived.push(...payloads(batch));
        },
      },
      { retry: { attempts: 100, backoffMs: 100, factor: 1, jitter: 0 } },
    );
    for (const first of [1, 4, 7]) {
      await bench.commit(3, undefined, first);
      await pass(1_000);
    }
    away = false;
    await pass(100);

    expect(arrived).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('may name what failed by copies of the emissions', async () => {
    using bench = new Bench();
    const adapter = bench.serve(
      new ScriptedAdapter(([first]) => {
        throw new PartialDeliveryError([{ ...first! }]);
      }),
      { retry },
    );
    await bench.commit(2);
    await pass(100);

    expect(adapter.batches.map(payloads)).toEqual([[1, 2], [1]]);
  });

  it('is delivered when nothing failed, and is all retried when what failed is none of it', async () => {
    using bench = new Bench();
    const stranger = bench.emission('stranger');
    const throwing = (failed: Emission[]) =>
      new ScriptedAdapter(failing(new PartialDeliveryError(failed)));
    const none = bench.serve(throwing([]), { retry });
    const strangers = bench.serve(throwing([stranger]), { retry });
    await bench.commit(2);
    await pass(100);

    expect(none.batches.map(payloads)).toEqual([[1, 2]]);
    expect(strangers.batches.map(payloads)).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'down'],
    ['an object that cannot be turned into text', Object.create(null) as unknown],
    ['a symbol', Symbol('down')],
    [
      'an error whose message throws',
      Object.defineProperty(new Error('x'), 'message', { get: failing(new Error('hidden')) }),
    ],
  ])('may fail with anything: %s', async (_, error) => {
    using logs = captureLogs();
    using bench = new Bench();
    using log = listen('emissions:adapter:failed');
    const thrown = bench.serve(new ScriptedAdapter(failing(error)));
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- that is the point
    const rejected = bench.serve(new ScriptedAdapter(() => Promise.reject(error)));
    await bench.commit();
    await pass(0);
    await bench.commit();
    await pass(0);

    expect(log.all.map(({ message }) => message.error === error)).toEqual([true, true]);
    expect(logs.of('error')).toHaveLength(2);
    expect([thrown.batches.length, rejected.batches.length]).toEqual([2, 2]);
  });
});
