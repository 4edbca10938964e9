import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  onSignal,
  PipelineClosedError,
  PipelineFullError,
  type ConsumerSettings,
} from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { fakeTime, pass } from '../support/time.js';
import { rounds } from '../support/until.js';

beforeEach(silence);
fakeTime();

/** A held consumer that wants the emissions whose names hold its letter. */
function serve(bench: Bench, letter: string, consumer: ConsumerSettings): HeldAdapter {
  const adapter = Object.assign(new HeldAdapter(), {
    interested: ({ name }: { name: string }) => name.includes(letter),
  });
  return bench.serve(adapter, { name: letter, batchSize: 1, ...consumer });
}

/** Commits one emission for each name; tells whether it is done. */
function commit(bench: Bench, ...names: string[]): { state: string; error?: unknown } {
  const status: { state: string; error?: unknown } = { state: 'waiting' };
  const offer = async () => bench.pipeline.offer(names.map((name) => bench.emission(name)));
  offer().then(
    () => (status.state = 'done'),
    (error: unknown) => Object.assign(status, { state: 'failed', error }),
  );
  return status;
}

describe('A commit for a full queue that is to be waited for', () => {
  it('is done when there is room for all of it, and is signalled as waiting', async () => {
    using bench = new Bench();
    using log = listen('emissions:consumer:waiting', 'emissions:consumer:overflowed');
    const a = serve(bench, 'a', { capacity: 3 });
    commit(bench, 'a', 'a', 'a');
    const second = commit(bench, 'a', 'a');
    await pass(0);
    a.release();
    await pass(0);
    expect(second.state).toBe('waiting');
    a.release();
    await pass(0);

    expect(second.state).toBe('done');
    expect(log.all).toEqual([
      {
        channel: 'emissions:consumer:waiting',
        message: { consumer: 'a', count: 2, capacity: 3 },
      },
    ]);
  });

  it('fails after waitTimeoutMs with a PipelineFullError that names the consumer, and nobody gets anything of it', async () => {
    using bench = new Bench({ waitTimeoutMs: 100 });
    using log = listen('emissions:consumer:overflowed');
    const other = bench.serve(new RecordingAdapter());
    const a = serve(bench, 'a', { capacity: 1 });
    commit(bench, 'a1');
    const second = commit(bench, 'a2', 'other');
    await pass(99);
    expect(second.state).toBe('waiting');
    await pass(1);
    expect(second).toMatchObject({
      state: 'failed',
      error: { statusCode: 503, consumer: 'a', message: expect.stringMatching(/within 100 ms/) },
    });
    expect(second.error).toBeInstanceOf(PipelineFullError);
    a.release();
    await pass(0);

    expect([a.names, other.names]).toEqual([['a1'], ['a1']]);
    expect(log.all.map(({ message }) => message)).toEqual([
      { consumer: 'a', policy: 'wait', count: 1, capacity: 1 },
    ]);
  });

  it('leaves no timer behind', async () => {
    using bench = new Bench();
    const a = serve(bench, 'a', { capacity: 1 });
    commit(bench, 'a');
    commit(bench, 'a');
    await pass(0);
    a.release();
    await pass(0);

    expect(bench.pending('a')).toBe(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('stands behind those who came before, also when it would fit', async () => {
    using bench = new Bench();
    const a = serve(bench, 'a', { capacity: 3 });
    commit(bench, 'a1', 'a2');
    const large = commit(bench, 'a3', 'a4');
    const small = commit(bench, 'a5');
    await pass(0);
    expect([large.state, small.state]).toEqual(['waiting', 'waiting']);
    while (a.running > 0) {
      a.release();
      await pass(0);
    }

    expect([large.state, small.state]).toEqual(['done', 'done']);
    expect(a.names).toEqual(['a1', 'a2', 'a3', 'a4', 'a5']);
  });

  it('goes when the one before it has given up, if it fits', async () => {
    using bench = new Bench({ waitTimeoutMs: 100 });
    serve(bench, 'a', { capacity: 3 });
    commit(bench, 'a', 'a');
    const large = commit(bench, 'a', 'a');
    await pass(50);
    const small = commit(bench, 'a');
    await pass(50);

    expect([large.state, small.state]).toEqual(['failed', 'done']);
  });

  it('is passed by those that do not want that consumer, though they share all others with it', async () => {
    using bench = new Bench();
    serve(bench, 'a', { capacity: 1 });
    const b = serve(bench, 'b', { capacity: 10 });
    commit(bench, 'a');
    const waiting = commit(bench, 'ab');
    const passing = commit(bench, 'b1', 'b2');
    await pass(0);

    expect([waiting.state, passing.state]).toEqual(['waiting', 'done']);
    expect(b.names).toEqual(['b1']);
  });

  it('is passed by at a queue that rejects, which is not full', async () => {
    using bench = new Bench();
    serve(bench, 'a', { capacity: 1 });
    serve(bench, 'b', { capacity: 10, overflow: 'reject' });
    commit(bench, 'a');
    const waiting = commit(bench, 'ab');
    const passing = commit(bench, 'b');
    await pass(0);

    expect([waiting.state, passing.state]).toEqual(['waiting', 'done']);
  });

  it('waits for one queue after the other when several are full', async () => {
    using bench = new Bench();
    using log = listen('emissions:consumer:waiting');
    const a = serve(bench, 'a', { capacity: 1 });
    const b = serve(bench, 'b', { capacity: 1 });
    commit(bench, 'ab1');
    const second = commit(bench, 'ab2');
    await pass(0);
    a.release();
    await pass(0);
    expect(second.state).toBe('waiting');
    b.release();
    await pass(0);

    expect(second.state).toBe('done');
    expect([a.names, b.names]).toEqual([
      ['ab1', 'ab2'],
      ['ab1', 'ab2'],
    ]);
    expect(log.all.map(({ message }) => message.consumer)).toEqual(['a', 'b']);
  });

  it('goes before those who came after it when it moves on to their line', async () => {
    using bench = new Bench();
    const a = serve(bench, 'a', { capacity: 1 });
    const b = serve(bench, 'b', { capacity: 1 });
    commit(bench, 'ab1');
    const both = commit(bench, 'ab2');
    const later = commit(bench, 'b3');
    await pass(0);
    a.release();
    await pass(0);
    b.release();
    await pass(0);

    expect([both.state, later.state]).toEqual(['done', 'waiting']);
    b.release();
    await pass(0);
    expect(b.names).toEqual(['ab1', 'ab2', 'b3']);
  });

  it('is done when the consumer it waits for is removed, though that is still busy', async () => {
    using bench = new Bench();
    const a = serve(bench, 'a', { capacity: 1 });
    const other = bench.serve(new RecordingAdapter());
    commit(bench, 'a1');
    const second = commit(bench, 'a2');
    await pass(0);
    const removed = bench.pipeline.remove('adapter', 'a');
    await pass(0);
    expect(second.state).toBe('done');
    expect(other.names).toEqual(['a1', 'a2']);
    a.release();

    await expect(removed).resolves.toBe(true);
    expect(a.names).toEqual(['a1']);
  });

  it('is done with all that wait for the consumer when that is removed', async () => {
    using bench = new Bench();
    const a = serve(bench, 'a', { capacity: 1 });
    serve(bench, 'b', { capacity: 10 });
    commit(bench, 'a1');
    const waiting = ['ab2', 'ab3', 'ab4', 'ab5'].map((name) => commit(bench, name));
    await pass(0);
    void bench.pipeline.remove('adapter', 'a');
    await pass(0);
    expect(waiting.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done']);
    expect(bench.pending('b')).toBe(4);
    a.release();
  });

  it('does not wait for a removed consumer after the one it stands in line for', async () => {
    using bench = new Bench();
    const a = serve(bench, 'a', { capacity: 1 });
    serve(bench, 'b', { capacity: 1 });
    commit(bench, 'ab1');
    const second = commit(bench, 'ab2');
    await pass(0);
    void bench.pipeline.remove('adapter', 'b');
    a.release();
    await pass(0);

    expect(second.state).toBe('done');
    expect(a.names).toEqual(['ab1', 'ab2']);
  });

  it('fails when somebody who is told that another one waits now closes the pipeline', async () => {
    using bench = new Bench();
    const a = serve(bench, 'a', { capacity: 1 });
    serve(bench, 'b', { capacity: 1 });
    commit(bench, 'ab1');
    const both = commit(bench, 'ab2');
    const second = commit(bench, 'a3');
    await pass(0);
    const stop = onSignal('emissions:consumer:waiting', () => void bench.pipeline.close());
    const removed = bench.pipeline.remove('adapter', 'a');
    stop();
    a.release();
    await pass(0);

    await expect(removed).resolves.toBe(true);
    expect(second.error).toBeInstanceOf(PipelineClosedError);
    expect(both.error).toBeInstanceOf(PipelineClosedError);
  });

  it('fails when the pipeline closes', async () => {
    using bench = new Bench();
    const a = serve(bench, 'a', { capacity: 1 });
    commit(bench, 'a1');
    const second = commit(bench, 'a2');
    await pass(0);
    bench.pipeline.close();
    await rounds();

    expect(second.error).toBeInstanceOf(PipelineClosedError);
    expect(a.names).toEqual(['a1']);
  });

  it('counts as busy for those who wait until everything has settled', async () => {
    using bench = new Bench();
    const a = serve(bench, 'a', { capacity: 1 });
    commit(bench, 'a1');
    commit(bench, 'a2');
    const timedOut = bench.pipeline.settled(50).catch((error: Error) => error.message);
    await pass(50);
    expect(await timedOut).toMatch(/adapter a: 1, 1 commit waits for room/);
    const settled = bench.settled();
    await pass(0);
    a.release();
    await pass(0);
    a.release();

    await expect(settled).resolves.toBeUndefined();
    expect(a.names).toEqual(['a1', 'a2']);
  });
});

describe('A commit that can never fit', () => {
  it.each(['wait', 'reject'] as const)('is refused at once: %s', async (overflow) => {
    using bench = new Bench();
    const other = bench.serve(new RecordingAdapter());
    serve(bench, 'a', { capacity: 2, overflow });
    const large = commit(bench, 'a', 'a', 'a');
    await rounds();

    expect(large).toMatchObject({
      state: 'failed',
      error: {
        consumer: 'a',
        message: expect.stringMatching(/holds 3 for it, more than ever fit/),
      },
    });
    expect(other.names).toEqual([]);
  });

  it('is refused also when it would have to wait for another consumer first', async () => {
    using bench = new Bench();
    serve(bench, 'a', { capacity: 1 });
    serve(bench, 'b', { capacity: 2 });
    commit(bench, 'a');
    const large = commit(bench, 'ab', 'b', 'b');
    await rounds();

    expect(large).toMatchObject({ state: 'failed', error: { consumer: 'b' } });
  });

  it('fits a queue that sheds', async () => {
    using bench = new Bench();
    serve(bench, 'a', { capacity: 2, overflow: 'drop-newest' });
    const large = commit(bench, 'a', 'a', 'a');
    await rounds();

    expect(large.state).toBe('done');
  });
});
