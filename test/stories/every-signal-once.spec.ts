import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  EMISSIONS_CHANNELS,
  Emissions,
  EmissionsModule,
  IGNORED,
  OnEmission,
  type HandlerContext,
} from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter, ScriptedAdapter, failing } from '../support/adapters.js';
import { start } from '../support/app.js';
import { emit, emitAndSettle, type Emitted } from '../support/emit.js';
import { listen } from '../support/signals.js';
import { until } from '../support/until.js';

@Injectable()
class Handlers {
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('succeed')
  succeeds(): void {}

  @OnEmission('ignore')
  ignores(): unknown {
    return IGNORED;
  }

  @OnEmission('fail')
  fails(): void {
    throw new Error('no');
  }

  @OnEmission('retry', { retry: { attempts: 2, backoffMs: 0 } })
  retries(_payload: unknown, _emission: unknown, { attempt }: HandlerContext): void {
    if (attempt === 1) throw new Error('not yet');
  }

  @OnEmission('loop')
  loops(): void {
    this.emissions.emit('loop');
  }
}

/** An adapter for emissions of one name. */
function only<A extends RecordingAdapter>(name: string, adapter: A): A {
  return Object.assign(adapter, {
    interested: (emission: { name: string }) => emission.name === name,
  });
}

it('whatever happens is signalled once, where it belongs', async () => {
  const full = only('overflow', new HeldAdapter());
  const waits = only('wait', new HeldAdapter());
  const flaky = only('adapter.retry', new ScriptedAdapter(failing(new Error('not yet'))));
  const broken = only('adapter.fail', new ScriptedAdapter(failing(new Error('no'))));
  const retry = { attempts: 2, backoffMs: 0 };
  await using running = await start({
    imports: [
      EmissionsModule.forRoot({
        maxDepth: 1,
        adapters: [
          { name: 'full', useValue: full, consumer: { capacity: 1, overflow: 'drop-newest' } },
          { name: 'waits', useValue: waits, consumer: { capacity: 1 } },
          { name: 'flaky', useValue: flaky, consumer: { retry } },
          { name: 'broken', useValue: broken },
        ],
      }),
    ],
    providers: [Handlers],
  });
  const { emissions } = running;
  using log = listen(...EMISSIONS_CHANNELS);
  /** What was signalled since the last time, but for the buffers' own. */
  let told = 0;
  const since = () => {
    const signals = log.all.slice(told).filter(({ channel }) => !channel.includes(':buffer:'));
    told = log.all.length;
    return signals.map(({ channel, message }) => {
      const { adapter, handler, consumer, emission } = message as unknown as Record<string, string>;
      return `${channel.replace('emissions:', '')} ${adapter ?? handler ?? consumer ?? emission}`;
    });
  };
  const after = async (...all: Emitted[]) => {
    await emitAndSettle(emissions, ...all);
    return since();
  };

  expect(await after('succeed')).toEqual(['handler:succeeded Handlers.succeeds']);
  expect(await after('ignore')).toEqual(['handler:ignored Handlers.ignores']);
  expect(await after('fail')).toEqual(['handler:failed Handlers.fails']);
  expect(await after('retry')).toEqual([
    'handler:retried Handlers.retries',
    'handler:succeeded Handlers.retries',
  ]);
  expect(await after('loop')).toEqual([
    'handler:succeeded Handlers.loops',
    'cascade:cut loop',
    'handler:failed Handlers.loops',
  ]);
  expect(await after('adapter.retry')).toEqual([
    'adapter:retried flaky',
    'adapter:delivered flaky',
  ]);
  expect(await after('adapter.fail', 'adapter.fail')).toEqual(['adapter:failed broken']);
  expect(await after('nobody')).toEqual([]);

  await emit(emissions, 'overflow', 'overflow');
  expect(since()).toEqual(['consumer:overflowed full', 'emission:dropped full']);
  await until(() => full.running === 1);
  full.release();
  await emissions.settled();
  expect(since()).toEqual(['adapter:delivered full']);

  await emit(emissions, 'wait');
  const waiting = emit(emissions, ['wait', 1, {}, { ttlMs: 1 }]);
  await until(() => waits.running === 1);
  expect(since()).toEqual(['consumer:waiting waits']);
  const past = performance.now() + 2;
  await until(() => performance.now() > past);
  waits.release();
  await waiting;
  await emissions.settled();
  expect(since()).toEqual(['adapter:delivered waits', 'emission:expired waits']);

  emissions.emit('unbuffered');
  expect(since()).toEqual(['emission:dropped unbuffered']);
});
