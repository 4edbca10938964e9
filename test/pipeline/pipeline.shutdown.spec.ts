import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PipelineClosedError, ShutdownError, SettleTimeoutError } from 'nestjs-emissions';
import type { SingleCall } from '../../lib/emission/destination.js';
import { HeldAdapter, RecordingAdapter, ScriptedAdapter, failing } from '../support/adapters.js';
import { captureLogs, silence } from '../support/logs.js';
import { Bench, range } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { fakeTime, pass } from '../support/time.js';
import { rounds, until } from '../support/until.js';

beforeEach(silence);

describe('settled()', () => {
  it('resolves at once when nothing is pending', async () => {
    using bench = new Bench();

    await expect(bench.pipeline.settled(0)).resolves.toBeUndefined();
  });

  it('resolves when the last delivery is over, failed or not', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter());
    bench.serve({ deliver: failing(new Error('no')) });
    await bench.commit(2);
    let settled = false;
    const waiting = bench.settled().then(() => (settled = true));
    await until(() => adapter.running === 1);
    expect(settled).toBe(false);
    adapter.release();

    await expect(waiting).resolves.toBe(true);
  });

  it('may be waited for by several', async () => {
    using bench = new Bench();
    bench.serve(new RecordingAdapter());
    await bench.commit(2);

    await expect(Promise.all([bench.settled(), bench.settled()])).resolves.toHaveLength(2);
  });

  it('gives up with an error that names who is busy, and with how many', async () => {
    using bench = new Bench({ batchSize: 1 });
    bench.serve(new HeldAdapter(), { name: 'audit' });
    bench.serveAs(new HeldAdapter(), { name: 'Stock.reserve' });
    bench.serve(new RecordingAdapter(), { name: 'fine' });
    await bench.commit(3);
    const error = await bench.pipeline.settled(5).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(SettleTimeoutError);
    expect((error as Error).message).toBe(
      'Not settled within 5 ms: adapter audit: 3, handler Stock.reserve: 3. Pass { timeoutMs } to wait longer.',
    );
  });

  it('waits for what is kept until the application has started', async () => {
    using bench = new Bench({}, { started: false });
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit(1);
    await expect(bench.pipeline.settled(1)).rejects.toThrow(/until the application has started: 1/);
    const settled = bench.settled();
    bench.pipeline.start();
    await settled;

    expect(adapter.payloads).toEqual([1]);
  });

  it('is over with the start when nobody wants what was kept', async () => {
    using bench = new Bench({}, { started: false });
    await bench.commit(1);
    const settled = bench.settled();
    bench.pipeline.start();
    await expect(settled).resolves.toBeUndefined();
  });

  it.each(['redeem', 'release'] as const)(
    'is over when the last room that was made before the start is no longer needed: %s',
    async (end) => {
      using bench = new Bench({}, { started: false });
      const nowhere = { executeSql: () => Promise.reject(new Error('nothing is stored')) };
      const place = await bench.pipeline.accept([bench.emission()], nowhere);
      bench.pipeline.start();
      const settled = bench.settled();
      place[end]();
      await expect(settled).resolves.toBeUndefined();
    },
  );
});

describe('Shutdown', () => {
  fakeTime();

  it('waits until everything is delivered, retries included', async () => {
    using bench = new Bench({ batchSize: 2 });
    const adapter = bench.serve(new ScriptedAdapter(failing(new Error('1'))), {
      retry: { attempts: 2, backoffMs: 100, jitter: 0 },
    });
    await bench.commit(5);
    const drained = bench.pipeline.drain();
    await pass(100);
    await drained;

    expect(adapter.payloads).toEqual([1, 2, ...range(1, 5)]);
    expect(bench.pipeline.close()).toEqual({ drained: true, left: [] });
  });

  it('does not wait for batches to fill up', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter(), { maxWaitMs: 60_000 });
    await bench.commit(1);
    await bench.pipeline.drain();

    expect(adapter.payloads).toEqual([1]);
  });

  it('takes what handlers still emit meanwhile', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    bench.serveAs(new ScriptedAdapter(() => bench.pipeline.offer([bench.emission('follow.up')])), {
      matches: (name) => name !== 'follow.up',
    });
    await bench.commit(1);
    await bench.pipeline.drain();

    expect(adapter.names).toEqual(['thing.happened', 'follow.up']);
  });

  it('gives up after drainTimeoutMs: what is left is logged and signalled, by name and count', async () => {
    using logs = captureLogs();
    using bench = new Bench({ batchSize: 2, drainTimeoutMs: 1_000 });
    using log = listen('emissions:emission:dropped');
    const stuck = bench.serve(new HeldAdapter(), { name: 'stuck' });
    bench.serve(new RecordingAdapter(), { name: 'healthy' });
    await bench.commit(5);
    const drained = bench.pipeline.drain();
    await pass(999);
    expect(bench.pipeline.state).toBe('draining');
    await pass(1);
    await drained;

    expect(bench.pipeline.state).toBe('closed');
    expect(log.all.map(({ message }) => message)).toEqual([
      { reason: 'shutdown', emission: 'thing.happened', count: 5, consumer: 'stuck' },
    ]);
    expect(logs.of('error')).toEqual([expect.stringMatching(/undelivered: stuck: 5\..*1000 ms/)]);
    expect(stuck.batches).toHaveLength(1);
  });

  it('aborts the signals of the calls that are left, and does not mind what becomes of them', async () => {
    using bench = new Bench({ drainTimeoutMs: 10 });
    using log = listen('emissions:adapter:failed', 'emissions:adapter:delivered');
    const stuck = bench.serve(new HeldAdapter(), { batchSize: 1, concurrency: 2 });
    await bench.commit(3);
    const drained = bench.pipeline.drain();
    await pass(10);
    await drained;
    expect(stuck.contexts.map(({ signal }) => signal.reason)).toEqual([
      expect.any(ShutdownError),
      expect.any(ShutdownError),
    ]);
    stuck.release();
    stuck.fail(new Error('too late'));
    await pass(0);

    expect(log.all).toEqual([]);
    expect(stuck.batches).toHaveLength(2);
  });

  it('gives up the call in which it happens, and does not mind what becomes of it', async () => {
    using log = listen('emissions:emission:dropped');
    const bench = new Bench();
    let given: SingleCall | undefined;
    bench.serveAs(new RecordingAdapter(), {
      name: 'closes',
      consumer: { batchSize: 1, timeoutMs: 1_000 },
      handle: (_, call) => {
        given = call;
        bench.pipeline.close();
        return true;
      },
    });
    await bench.commit();
    await rounds();

    expect(given!.signal.reason).toBeInstanceOf(ShutdownError);
    expect(jest.getTimerCount()).toBe(0);
    given!.succeeded();
    expect(bench.pending('closes')).toBe(0);
    expect(log.of('emissions:emission:dropped')).toMatchObject([{ reason: 'shutdown', count: 1 }]);
  });

  it('gives up what waits to be retried, and leaves no timer behind', async () => {
    using bench = new Bench({ drainTimeoutMs: 10, timeoutMs: 60_000 });
    bench.serve(
      { deliver: failing(new Error('no')) },
      { name: 'audit', retry: { attempts: 9, backoffMs: 1_000 } },
    );
    bench.serve(new HeldAdapter(), { name: 'stuck' });
    await bench.commit(2);
    const drained = bench.pipeline.drain();
    await pass(10);
    await drained;

    expect(jest.getTimerCount()).toBe(0);
    expect(bench.pipeline.consumers.map(({ pending }) => pending)).toEqual([0, 0]);
  });

  it('reports what a removed consumer was still busy with, and aborts that too', async () => {
    using bench = new Bench({ drainTimeoutMs: 10, batchSize: 1 });
    using log = listen('emissions:emission:dropped');
    const stuck = bench.serve(new HeldAdapter(), { name: 'stuck' });
    await bench.commit(2);
    await until(() => stuck.running === 1);
    const removed = bench.pipeline.remove('adapter', 'stuck');
    const drained = bench.pipeline.drain();
    await pass(10);
    await drained;

    await expect(removed).resolves.toBe(true);
    expect(log.all.map(({ message }) => [message.reason, message.count])).toEqual([
      ['removed', 1],
      ['shutdown', 1],
    ]);
    expect(stuck.contexts[0]!.signal.aborted).toBe(true);
  });

  it('refuses a commit that somebody who takes part in it still held up', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    let accept: () => void = () => {};
    bench.pipeline.join({
      accept: (emissions) => new Promise((resolve) => (accept = () => resolve(emissions))),
    });
    const commit = bench.commit();
    bench.pipeline.close();
    accept();

    await expect(commit).rejects.toThrow(PipelineClosedError);
    expect(adapter.batches).toEqual([]);
  });

  it('refuses what is committed afterwards', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    bench.pipeline.close();

    await expect(bench.commit()).rejects.toThrow(PipelineClosedError);
    await expect(bench.commit()).rejects.toMatchObject({ statusCode: 503 });
    expect(adapter.batches).toEqual([]);
  });

  it('reports what was kept when the application never started', async () => {
    using bench = new Bench({}, { started: false });
    using log = listen('emissions:emission:dropped');
    await bench.commit(3);
    await bench.pipeline.drain();

    expect(bench.pipeline.close()).toEqual({
      drained: false,
      left: [{ consumer: '(not started)', count: 3 }],
    });
    expect(log.all.map(({ message }) => [message.reason, message.count])).toEqual([
      ['shutdown', 3],
    ]);
  });

  it('happens once', async () => {
    using bench = new Bench();
    using log = listen('emissions:emission:dropped');
    bench.serve(new HeldAdapter(), { name: 'stuck' });
    await bench.commit(1);

    expect(bench.pipeline.close().left).toEqual([{ consumer: 'stuck', count: 1 }]);
    expect(bench.pipeline.close()).toEqual({ drained: true, left: [] });
    await bench.pipeline.drain();
    expect(log.all).toHaveLength(1);
  });

  it('ends every wait for everything to settle', async () => {
    using bench = new Bench();
    bench.serve(new HeldAdapter());
    await bench.commit(1);
    const settled = bench.settled();
    bench.pipeline.close();

    await expect(settled).resolves.toBeUndefined();
  });
});
