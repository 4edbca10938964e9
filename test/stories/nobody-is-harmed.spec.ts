import { describe, expect, it } from '@jest/globals';
import { Body, Controller, Injectable, Post, UseInterceptors } from '@nestjs/common';
import {
  Emissions,
  EmissionsInterceptor,
  EmissionsModule,
  OnEmission,
  type EmissionAdapter,
} from 'nestjs-emissions';
import { RecordingAdapter } from '../support/adapters.js';
import { SERVERS, serve } from '../support/app.js';
import { range } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { rounds } from '../support/until.js';

@Controller('orders')
@UseInterceptors(EmissionsInterceptor)
class Orders {
  constructor(private readonly emissions: Emissions) {}

  @Post()
  place(@Body() { n }: { n: number }): void {
    for (const i of [1, 2, 3]) this.emissions.emit('order.created', { n, i }, {}, { key: `${n}` });
  }
}

const CAPACITY = 40;

/** Everything that can go wrong with a destination, one of each. */
@Injectable()
class Bad {
  @OnEmission('order.*', { capacity: CAPACITY, overflow: 'drop-newest' })
  neverSettles(): Promise<void> {
    return new Promise(() => {});
  }

  @OnEmission('order.*')
  throws(): void {
    throw new Error('handler');
  }

  @OnEmission('order.*')
  rejectsWithNothing(): Promise<void> {
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- that is the point
    return Promise.reject();
  }

  @OnEmission('order.*', { interested: () => JSON.parse('{') as boolean })
  cannotDecide(): void {}

  @OnEmission('order.*', {
    timeoutMs: 5,
    concurrency: 1,
    capacity: CAPACITY,
    overflow: 'drop-oldest',
  })
  timesOut(): Promise<void> {
    return new Promise(() => {});
  }
}

/** What cannot even be asked what it is, such as a draft of immer's that is thrown after its time. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

@Injectable()
class Revoked {
  @OnEmission('order.*')
  atOnce(): void {
    // oxlint-disable-next-line typescript/only-throw-error -- that is the point
    throw revoked();
  }

  @OnEmission('order.*', { retry: { attempts: 2, backoffMs: 1 } })
  async later(): Promise<void> {
    await rounds(1);
    // oxlint-disable-next-line typescript/only-throw-error -- that is the point
    throw revoked();
  }
}

@Injectable()
class Good {
  readonly seen: number[] = [];

  @OnEmission('order.*')
  async handle({ n, i }: { n: number; i: number }): Promise<void> {
    await rounds(1);
    this.seen.push(n * 10 + i);
  }
}

const bad: Record<string, EmissionAdapter> = {
  'never settles': { deliver: () => new Promise(() => {}) },
  throws: {
    deliver: () => {
      throw new Error('adapter');
    },
  },
  'throws a revoked proxy': {
    deliver: () => {
      // oxlint-disable-next-line typescript/only-throw-error -- that is the point
      throw revoked();
    },
  },
  'is slow': { deliver: () => rounds(500) },
  'cannot decide': {
    interested: () => {
      throw new Error('interested');
    },
    deliver: () => {},
  },
};

describe.each(SERVERS)('With every kind of bad destination (%s)', (server) => {
  it('requests succeed, good destinations get all in order, and no queue exceeds its capacity', async () => {
    const good = new RecordingAdapter();
    const consumer = { capacity: CAPACITY, overflow: 'drop-oldest' } as const;
    const running = await serve(
      {
        imports: [
          EmissionsModule.forRoot({
            pipeline: { drainTimeoutMs: 20 },
            adapters: [
              ...Object.entries(bad).map(([name, useValue]) => ({ name, useValue, consumer })),
              { name: 'good', useValue: good },
            ],
          }),
        ],
        controllers: [Orders],
        providers: [Bad, Revoked, Good],
      },
      server,
    );
    using log = listen('emissions:adapter:failed', 'emissions:handler:failed');
    const pending = () => {
      const { adapters, handlers } = running.emissions.describe();
      const all = [...adapters, ...handlers].map((each) => [each.pending, each.options.capacity]);
      return all.filter(([count, capacity]) => count! > capacity!);
    };
    const exceeded: unknown[] = [];
    const statuses: number[] = [];
    for (const n of range(1, 60)) {
      const response = await running.request('POST', '/orders', { n });
      statuses.push(response.status);
      exceeded.push(...pending());
    }
    const expected = range(1, 60).flatMap((n) => [1, 2, 3].map((i) => n * 10 + i));
    await rounds(20);
    const inOrder = good.emissions.map(({ payload }) => {
      const { n, i } = payload as { n: number; i: number };
      return n * 10 + i;
    });

    expect(new Set(statuses)).toEqual(new Set([201]));
    expect(inOrder).toEqual(expected);
    expect(running.app.get(Good).seen.toSorted((a, b) => a - b)).toEqual(expected);
    expect(exceeded).toEqual([]);
    const failures = (name: string) =>
      log.all.filter(({ message }) => Object.values(message).includes(name)).length;
    expect([failures('throws') > 0, failures('cannot decide'), failures('Bad.throws')]).toEqual([
      true,
      180,
      180,
    ]);
    expect([failures('Bad.rejectsWithNothing'), failures('Bad.cannotDecide')]).toEqual([180, 180]);
    const before = performance.now();
    await running.close();
    expect(performance.now() - before).toBeLessThan(2_000);
  });
});
