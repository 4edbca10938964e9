import { describe, expect, it } from '@jest/globals';
import { EmissionsModule, PipelineFullError } from 'nestjs-emissions';
import { start } from '../support/app.js';
import { emit, emitAndSettle } from '../support/emit.js';
import { listen } from '../support/signals.js';
import { rounds } from '../support/until.js';

describe('A handler whose cascade has to wait for room', () => {
  it('is done when there is room', async () => {
    await using running = await start({ imports: [EmissionsModule.forRoot({})] });
    let finish: () => void = () => {};
    const seen: unknown[] = [];
    running.emissions.subscribe('a', (payload) => void running.emissions.emit('b', payload));
    running.emissions.subscribe(
      'b',
      async (payload) => {
        if (seen.push(payload) === 1) await new Promise<void>((resolve) => (finish = resolve));
      },
      { capacity: 1 },
    );
    using log = listen('emissions:handler:succeeded');
    await emit(running.emissions, ['a', 1], ['a', 2]);
    await rounds();
    expect([seen, log.all.length]).toEqual([[1], 1]);
    finish();
    await running.emissions.settled();

    expect(seen).toEqual([1, 2]);
  });

  it('for room that only its own end would make fails after waitTimeoutMs, and everything goes on', async () => {
    await using running = await start({
      imports: [EmissionsModule.forRoot({ pipeline: { waitTimeoutMs: 10 } })],
    });
    using log = listen('emissions:handler:failed', 'emissions:handler:succeeded');
    const feedsItself = (payload: unknown) =>
      void (payload === 'more' && running.emissions.emit('loop', 'end'));
    running.emissions.subscribe('loop', feedsItself, { id: 'loop', capacity: 1 });
    await emitAndSettle(running.emissions, ['loop', 'more']);
    await emitAndSettle(running.emissions, ['loop', 'end']);

    expect(log.all.map(({ channel }) => channel)).toEqual([
      'emissions:handler:failed',
      'emissions:handler:succeeded',
    ]);
    expect(log.of('emissions:handler:failed')[0]!.error).toBeInstanceOf(PipelineFullError);
  });
});
