import { describe, expect, it } from '@jest/globals';
import {
  DeliveryTimeoutError,
  EmissionsModule,
  PipelineClosedError,
  ShutdownError,
  type Emission,
} from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter } from '../support/adapters.js';
import { start } from '../support/app.js';
import { emit, emitAndSettle } from '../support/emit.js';
import { HandlerLab } from '../support/handler-lab.js';
import { captureLogs } from '../support/logs.js';
import { listen } from '../support/signals.js';
import { rounds, until } from '../support/until.js';

const lab = new HandlerLab({ maxDepth: 4 }, { critical: true });
const { recorder, on, cascade } = lab;

describe('A critical handler at its limits', () => {
  it('has timeoutMs: the commit fails, and what the handler does later counts for nothing', async () => {
    using log = listen('emissions:handler:failed', 'emissions:handler:succeeded');
    let finish: () => void = () => {};
    on(
      'a',
      async () => {
        await new Promise<void>((resolve) => (finish = resolve));
        cascade('too.late');
      },
      { timeoutMs: 5 },
    );
    await expect(emit(lab.emissions, 'a')).rejects.toThrow(DeliveryTimeoutError);
    finish();
    await rounds();
    await lab.emissions.settled();

    expect(recorder.names).toEqual([]);
    expect(log.all.map(({ channel }) => channel)).toEqual(['emissions:handler:failed']);
  });

  it('is waited for by whoever waits for everything to settle, also when it fails', async () => {
    let fail: (error: Error) => void = () => {};
    on('a', () => new Promise<void>((_, reject) => (fail = reject)));
    const commit = emit(lab.emissions, 'a').catch((error: Error) => error.message);
    await rounds();
    await expect(lab.emissions.settled({ timeoutMs: 5 })).rejects.toThrow(/in progress: 1/);
    const settled = lab.emissions.settled();
    fail(new Error('no'));

    expect(await commit).toBe('no');
    await expect(settled).resolves.toBeUndefined();
  });

  it('that is stuck when the application closes is told to stop, and the commit is refused', async () => {
    const closing = await start({
      imports: [
        EmissionsModule.forRoot({ adapters: [RecordingAdapter], pipeline: { drainTimeoutMs: 10 } }),
      ],
    });
    let finish: () => void = () => {};
    let signal: AbortSignal | undefined;
    closing.emissions.subscribe(
      'a',
      (_payload, _emission, context) => {
        signal = context.signal;
        return new Promise<void>((resolve) => (finish = resolve));
      },
      { critical: true },
    );
    const commit = emit(closing.emissions, 'a').catch((error: unknown) => error);
    await rounds();
    await closing.close();

    expect(await commit).toBeInstanceOf(PipelineClosedError);
    expect(signal!.reason).toBeInstanceOf(ShutdownError);
    finish();
    await rounds();
    expect(closing.app.get(RecordingAdapter).names).toEqual([]);
  });

  it('that cannot tell whether it is interested fails the commit: nothing leaves unchecked', async () => {
    using log = listen('emissions:handler:failed');
    const seen: unknown[] = [];
    on('a', () => seen.push('called'), { interested: () => failWith(new Error('who knows')) });
    await expect(emit(lab.emissions, 'a')).rejects.toThrow('who knows');

    expect([seen, recorder.names]).toEqual([[], []]);
    expect(log.all.map(({ message }) => message.phase)).toEqual(['interested']);
  });

  it('whose pattern takes too long to answer takes nothing of that name, which is signalled', async () => {
    using log = listen('emissions:handler:failed');
    const seen: string[] = [];
    const method = (_: unknown, { name }: Emission) => seen.push(name);
    const hostile = lab.emissions.subscribe(/^(a+)+$/, method, { critical: true });
    await emitAndSettle(lab.emissions, `${'a'.repeat(40)}!`, 'aaa');
    hostile.unsubscribe();

    expect(seen).toEqual(['aaa']);
    expect(recorder.emissions).toHaveLength(2);
    expect(log.all.map(({ message }) => message.phase)).toEqual(['interested']);
  });

  it('is enough of a consumer: a name that only it takes is not warned about', async () => {
    await using alone = await start({ imports: [EmissionsModule.forRoot({})] });
    using logs = captureLogs();
    alone.emissions.subscribe('known', () => {}, { critical: true });
    await emit(alone.emissions, 'known', 'unknown');

    expect(logs.of('warn')).toEqual([expect.stringContaining("'unknown'")]);
  });

  it('may emit as many as its buffer takes', async () => {
    const many = 150_000;
    await using large = await start({
      imports: [EmissionsModule.forRoot({ buffer: { capacity: many }, snapshot: 'none' })],
    });
    let count = 0;
    const emitMany = (): void => {
      for (let i = 0; i < many; i++) large.emissions.emit('b');
    };
    large.emissions.subscribe('a', emitMany, { critical: true });
    large.emissions.subscribe('b', () => void count++, { critical: true, id: 'counting' });
    await emit(large.emissions, 'a');

    expect(count).toBe(many);
  });

  it('has run when the commit is refused for want of room: what it emitted does not leave either', async () => {
    const full = new HeldAdapter();
    lab.emissions.addAdapter('full', full, { capacity: 1, overflow: 'reject' });
    on('a', () => void cascade('b'));
    await expect(emit(lab.emissions, 'a')).rejects.toThrow(/full/);
    await emit(lab.emissions, 'c');
    await until(() => full.running === 1);
    full.release();
    await lab.emissions.removeAdapter('full');
    await lab.emissions.settled();

    expect(recorder.names).toEqual(['c']);
  });
});

function failWith(error: Error): never {
  throw error;
}
