import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { IGNORED, type Emission } from 'nestjs-emissions';
import { emit, emitAndSettle } from '../support/emit.js';
import { HandlerLab } from '../support/handler-lab.js';
import { captureLogs } from '../support/logs.js';
import { listen } from '../support/signals.js';
import { rounds } from '../support/until.js';

const lab = new HandlerLab({ maxDepth: 4 }, { critical: true });
const { recorder, on, cascade } = lab;

describe('A critical handler', () => {
  it('runs inside the commit, before anything is handed over', async () => {
    let finish: () => void = () => {};
    let committed = false;
    on('a', () => new Promise<void>((resolve) => (finish = resolve)));
    const commit = emit(lab.emissions, 'a').then(() => (committed = true));
    await rounds();
    expect([committed, recorder.names]).toEqual([false, []]);
    finish();
    await commit;
    await lab.emissions.settled();

    expect(recorder.names).toEqual(['a']);
  });

  it.each([
    ['throws', () => failWith(new RangeError('overdrawn'))],
    ['rejects', () => Promise.reject(new RangeError('overdrawn'))],
  ])('that %s fails the commit with its own error, and nothing leaves', async (_, method) => {
    using logs = captureLogs();
    using log = listen('emissions:handler:failed', 'emissions:buffer:terminated');
    on('b', method, { id: 'Account.check' });
    const commit = emit(lab.emissions, 'a', 'b', 'c');

    await expect(commit).rejects.toThrow(RangeError);
    await lab.emissions.settled();
    expect(recorder.names).toEqual([]);
    expect(log.of('emissions:handler:failed')).toEqual([
      {
        handler: 'Account.check',
        phase: 'deliver',
        emission: 'b',
        count: 1,
        attempt: 1,
        durationMs: expect.any(Number),
        error: expect.any(RangeError),
      },
    ]);
    expect(log.of('emissions:buffer:terminated').at(-1)).toMatchObject({ count: 3 });
    // Whoever commits gets the error, and logs it.
    expect(logs.of('error')).toEqual([]);
  });

  it('is called for what is flushed; what could not be flushed stays in the buffer', async () => {
    let allowed = false;
    on('a', () => allowed || failWith(new Error('not yet')));
    await lab.emissions.run(async () => {
      cascade('a');
      await expect(lab.emissions.flush()).rejects.toThrow('not yet');
      allowed = true;
    });
    await lab.emissions.settled();

    expect(recorder.names).toEqual(['a']);
  });

  it('runs one behind another: emission by emission, and by priority', async () => {
    const order: string[] = [];
    const work =
      (who: string) =>
      async (_: unknown, { name }: Emission) => {
        order.push(`${who} begins ${name}`);
        await rounds(2);
        order.push(`${who} ends ${name}`);
      };
    on('*', work('late'), { priority: 9 });
    on('*', work('early'), { priority: 1 });
    await emit(lab.emissions, 'a', 'b');

    expect(order).toEqual(
      ['a', 'b'].flatMap((name) =>
        ['early', 'late'].flatMap((who) => [`${who} begins ${name}`, `${who} ends ${name}`]),
      ),
    );
  });

  it('that fails is the last: those behind it are not called', async () => {
    const called: string[] = [];
    on('a', () => failWith(new Error('no')), { priority: 0 });
    on('a', () => called.push('second'), { priority: 1 });
    await expect(emit(lab.emissions, 'a')).rejects.toThrow('no');

    expect(called).toEqual([]);
  });

  it('adds what it emits to the commit, and it is shown to the critical handlers in turn', async () => {
    const seen: string[] = [];
    on('a', () => void cascade('b'));
    on('b', (_, { causationId, depth, correlationId }) => {
      seen.push('b');
      expect([depth, causationId]).toEqual([1, correlationId]);
    });
    await emitAndSettle(lab.emissions, 'a', 'z');

    expect(seen).toEqual(['b']);
    expect(recorder.batches.map((batch) => batch.map(({ name }) => name))).toEqual([
      ['a', 'z', 'b'],
    ]);
  });

  it('takes what it emitted down with it when a later one fails', async () => {
    on('a', () => void cascade('b'));
    on('b', () => failWith(new Error('no')));
    await expect(emit(lab.emissions, 'a')).rejects.toThrow('no');
    await lab.emissions.settled();

    expect(recorder.names).toEqual([]);
  });

  it('adds nothing when it ignores the emission, and the commit goes on', async () => {
    using log = listen('emissions:handler:ignored');
    on('a', () => (cascade('b'), IGNORED));
    await emitAndSettle(lab.emissions, 'a');

    expect(recorder.names).toEqual(['a']);
    expect(log.all).toHaveLength(1);
  });

  it('that loops is cut at maxDepth, and the commit fails', async () => {
    on('loop', () => void cascade('loop'));

    await expect(emit(lab.emissions, 'loop')).rejects.toThrow(/loop → loop/);
    expect(recorder.names).toEqual([]);
  });

  it('runs where the emitter does: a transaction that follows the asynchronous execution is found', async () => {
    const transaction = new AsyncLocalStorage<string>();
    const found: unknown[] = [];
    on('a', () => found.push(transaction.getStore()));
    await transaction.run('tx', () => emit(lab.emissions, 'a'));

    expect(found).toEqual(['tx']);
  });

  it('gets only what it is interested in', async () => {
    const seen: unknown[] = [];
    on('a', (payload) => seen.push(payload), {
      interested: ({ payload }: Emission<any>) => Number(payload) > 1,
    });
    await emit(lab.emissions, ['a', 1], ['a', 2]);

    expect(seen).toEqual([2]);
  });

  it('is listed as critical, and is gone when it is unsubscribed', async () => {
    const subscription = lab.emissions.subscribe('a', () => failWith(new Error('no')), {
      critical: true,
      id: 'guard',
    });
    expect(lab.emissions.describe().handlers).toMatchObject([{ id: 'guard', critical: true }]);
    subscription.unsubscribe();
    await emitAndSettle(lab.emissions, 'a');

    expect(lab.emissions.describe().handlers).toEqual([]);
    expect(recorder.names).toEqual(['a']);
  });
});

function failWith(error: Error): never {
  throw error;
}
