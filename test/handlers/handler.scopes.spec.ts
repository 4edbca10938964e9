import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Module, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import {
  DeliveryTimeoutError,
  Emissions,
  EmissionsModule,
  OnEmission,
  type Emission,
} from 'nestjs-emissions';
import { start, type RunningApp } from '../support/app.js';
import { emitAndSettle } from '../support/emit.js';
import { listen } from '../support/signals.js';
import { rounds } from '../support/until.js';

/** What each call saw. */
const calls: { host: object; request?: unknown; service?: object; emission: Emission }[] = [];
let built = 0;

/** Request-scoped by itself, and shared by all that one call builds. */
@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  readonly number = ++built;
  constructor(@Inject(REQUEST) readonly request: unknown) {}
}

@Injectable({ scope: Scope.REQUEST })
class RequestScoped {
  constructor(
    @Inject(REQUEST) private readonly request: unknown,
    private readonly service: PerRequest,
    private readonly emissions: Emissions,
  ) {}

  @OnEmission('to.request')
  handle(_payload: unknown, emission: Emission): void {
    const { request, service } = this;
    calls.push({ host: this, request, service, emission });
    this.emissions.emit('answered', { to: emission.id });
  }
}

/** Request-scoped because of what it injects. */
@Injectable()
class Bubbling {
  constructor(private readonly service: PerRequest) {}

  @OnEmission('to.bubbling')
  handle(_payload: unknown, emission: Emission): void {
    calls.push({ host: this, request: this.service.request, emission });
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class Transient {
  readonly number = ++built;

  @OnEmission('to.transient')
  handle(_payload: unknown, emission: Emission): void {
    calls.push({ host: this, emission });
  }
}

/** Somebody else who has a transient one of his own. */
@Injectable()
class User {
  constructor(readonly own: Transient) {}
}

@Controller({ scope: Scope.REQUEST })
class Scoped {
  constructor(@Inject(REQUEST) private readonly request: unknown) {}

  @OnEmission('to.controller')
  handle(_payload: unknown, emission: Emission): void {
    calls.push({ host: this, request: this.request, emission });
  }
}

@Injectable({ scope: Scope.REQUEST })
class Unbuildable {
  constructor(@Inject(REQUEST) request: Emission) {
    if (request.name === 'to.unbuildable') throw new Error('cannot be built');
  }

  @OnEmission(['to.unbuildable', 'to.buildable'])
  handle(_payload: unknown, emission: Emission): void {
    calls.push({ host: this, emission });
  }
}

let slow: Promise<unknown> | undefined;

@Injectable({ scope: Scope.REQUEST })
class Slow {
  constructor(@Inject('slow') readonly awaited: unknown) {}

  @OnEmission('to.slow', { timeoutMs: 1 })
  handle(_payload: unknown, emission: Emission): void {
    calls.push({ host: this, emission });
  }
}

@Module({ providers: [PerRequest, Bubbling], controllers: [Scoped] })
class Feature {}

describe('A host that is built for each call', () => {
  let running: RunningApp;
  beforeAll(async () => {
    running = await start({
      imports: [EmissionsModule.forRoot({}), Feature],
      providers: [
        PerRequest,
        RequestScoped,
        { provide: 'alias', useExisting: RequestScoped },
        { provide: 'another alias', useExisting: Transient },
        Transient,
        User,
        Unbuildable,
        { provide: 'slow', scope: Scope.REQUEST, useFactory: () => slow },
        Slow,
      ],
    });
  });
  afterAll(() => running.close());

  const callsOf = async (...names: string[]) => {
    calls.length = 0;
    await emitAndSettle(running.emissions, ...names);
    return calls.slice();
  };

  it.each(['to.request', 'to.bubbling', 'to.controller'])(
    'is another one each time, and gets the emission as its REQUEST: %s',
    async (name) => {
      const [first, second, ...others] = await callsOf(name, name);

      expect(others).toEqual([]);
      expect(first!.host).not.toBe(second!.host);
      for (const { request, emission } of [first!, second!]) expect(request).toBe(emission);
    },
  );

  it('is another one each time when it is transient, and none of those that others were given', async () => {
    const [first, second, ...others] = await callsOf('to.transient', 'to.transient');

    expect(others).toEqual([]);
    const numbers = [first!, second!].map(({ host }) => (host as Transient).number);
    expect(new Set([...numbers, running.app.get(User).own.number]).size).toBe(3);
  });

  it('injects what is request-scoped too, the same for all of one call', async () => {
    const [first, second] = await callsOf('to.request', 'to.request');

    expect(first!.service).toBeInstanceOf(PerRequest);
    expect(first!.service).not.toBe(second!.service);
    expect((first!.service as PerRequest).request).toBe(first!.emission);
  });

  it('is a handler as any other: what it emits has its emission as the cause', async () => {
    using log = listen('emissions:handler:succeeded', 'emissions:buffer:committed');
    await callsOf('to.request');

    expect(log.of('emissions:handler:succeeded').map(({ handler }) => handler)).toEqual([
      'RequestScoped.handle',
    ]);
    expect(log.of('emissions:buffer:committed').map(({ count }) => count)).toEqual([1, 1]);
  });

  it('that cannot be built fails that call', async () => {
    using log = listen('emissions:handler:failed');
    const seen = await callsOf('to.unbuildable', 'to.buildable');

    expect(seen.map(({ emission }) => emission.name)).toEqual(['to.buildable']);
    expect(
      log.all.map(({ message }) => [message.handler, (message.error as Error).message]),
    ).toEqual([['Unbuildable.handle', 'cannot be built']]);
  });

  it('that is built too late is not called any more', async () => {
    using log = listen('emissions:handler:failed');
    const { promise, resolve } = Promise.withResolvers<void>();
    slow = promise;
    const seen = await callsOf('to.slow');
    resolve();
    await rounds();

    expect([seen, calls]).toEqual([[], []]);
    expect(log.all.map(({ message }) => message.error)).toEqual([expect.any(DeliveryTimeoutError)]);
  });

  it('is not built at start-up', async () => {
    const before = built;
    await using another = await start({
      imports: [EmissionsModule.forRoot({})],
      providers: [PerRequest, RequestScoped],
    });

    expect(another.emissions.subscribers('to.request')).toHaveLength(1);
    expect(built).toBe(before);
  });
});
