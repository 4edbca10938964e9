import { Controller, Get, Inject } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { EmissionsModule, type EmissionAdapter, type Emissions } from 'nestjs-emissions';
import { EmissionsHealthIndicator } from 'nestjs-emissions/terminus';
import { serve } from '../../support/app.js';
import { until } from '../../support/until.js';

const THRESHOLDS = { degradedFailures: 2, downFailures: 4, degradedLagMs: 0, downLagMs: 0 };

@Controller()
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(EmissionsHealthIndicator) private readonly emissions: EmissionsHealthIndicator,
  ) {}

  @Get('health')
  check() {
    return this.health.check([() => this.emissions.check('emissions', THRESHOLDS)]);
  }

  @Get('lag')
  lag() {
    return this.health.check([
      () =>
        this.emissions.check('emissions', { ...THRESHOLDS, degradedLagMs: 1, downLagMs: 60_000 }),
    ]);
  }
}

async function checked(adapter: EmissionAdapter) {
  const app = await serve({
    imports: [
      TerminusModule.forRoot({ logger: false }),
      EmissionsModule.forRoot({
        adapters: [{ name: 'mail', useValue: adapter, consumer: { capacity: 10, batchSize: 1 } }],
      }),
    ],
    controllers: [HealthController],
    providers: [EmissionsHealthIndicator],
  });
  const emit = (count: number) =>
    app.emissions.run(() => {
      for (let n = 0; n < count; n++) app.emissions.emit('thing', { n });
    });
  const ask = async (path = '/health') => {
    const response = await app.request('GET', path);
    const { details } = (await response.json()) as { details: Record<string, object> };
    return { code: response.status, ...details['emissions'] };
  };
  return { ...app, emit, ask };
}

/** A handler of all emissions that fails while it is broken. */
function breakable(emissions: Emissions): { isBroken: boolean } {
  const handler = { isBroken: false };
  const handle = () => {
    if (handler.isBroken) throw new Error('no index today');
  };
  emissions.subscribe('*', handle, { id: 'index' });
  return handler;
}

describe('The health of emissions', () => {
  it('is up while all keep up', async () => {
    await using app = await checked({ deliver: () => {} });
    await app.emit(5);
    await app.emissions.settled();
    expect(await app.ask()).toEqual({ code: 200, status: 'up', state: 'running', pending: 0 });
  });

  it('is degraded while one is behind, and down when it can hardly take more', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    await using app = await checked({ deliver: () => held });
    await app.emit(5);
    const mail = { consumer: 'mail', status: 'degraded', reason: '5 of 10 pending' };
    expect(await app.ask()).toMatchObject({ code: 200, status: 'degraded', consumers: [mail] });
    await app.emit(5);
    expect(await app.ask()).toMatchObject({
      code: 503,
      status: 'down',
      consumers: [{ consumer: 'mail', status: 'down', reason: '10 of 10 pending' }],
    });
    release();
    await app.emissions.settled();
    expect(await app.ask()).toMatchObject({ code: 200, status: 'up' });
  });

  it('is degraded while one is stuck with something old', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    await using app = await checked({ deliver: () => held });
    const start = performance.now();
    await app.emit(1);
    await until(() => performance.now() - start > 5);
    expect(await app.ask('/lag')).toMatchObject({
      status: 'degraded',
      consumers: [{ consumer: 'mail', reason: expect.stringMatching(/^\d+ ms behind$/) }],
    });
    release();
  });

  it('is degraded while one fails again and again, down when it goes on, and up when it works', async () => {
    let isBroken = true;
    await using app = await checked({
      deliver: () => {
        if (isBroken) throw new Error('no mail today');
      },
    });
    const statusAfter = async (count: number) => {
      await app.emit(count);
      await app.emissions.settled();
      return ((await app.ask()) as unknown as { status: string }).status;
    };
    expect([await statusAfter(1), await statusAfter(1), await statusAfter(2)]).toEqual([
      'up',
      'degraded',
      'down',
    ]);
    isBroken = false;
    expect(await statusAfter(1)).toBe('up');
  });

  it('refuses thresholds that are none', async () => {
    await using app = await checked({ deliver: () => {} });
    const health = app.app.get(EmissionsHealthIndicator);
    await expect(health.check('emissions', { downFill: 2 })).rejects.toThrow(
      /EmissionsHealthIndicator.downFill takes a number from 0 to 1, but got 2/,
    );
  });

  it('is that of one application, whatever others in the process call theirs', async () => {
    const fails = () => {
      throw new Error('no mail today');
    };
    await using ill = await checked({ deliver: fails });
    await using well = await checked({ deliver: () => {} });
    for (const { emit, emissions } of [ill, well, ill, well]) {
      // oxlint-disable-next-line no-await-in-loop -- a call for each
      await emit(1);
      // oxlint-disable-next-line no-await-in-loop
      await emissions.settled();
    }
    expect(await ill.ask()).toMatchObject({ status: 'degraded' });
    expect(await well.ask()).toMatchObject({ status: 'up' });
  });

  it('of handlers is told as well as that of adapters', async () => {
    await using app = await checked({ deliver: () => {} });
    const handler = breakable(app.emissions);
    handler.isBroken = true;
    await app.emit(4);
    await app.emissions.settled();
    const index = { consumer: 'index', status: 'down', reason: '4 failures in a row' };
    expect(await app.ask()).toMatchObject({ code: 503, consumers: [index] });
    handler.isBroken = false;
    await app.emit(1);
    await app.emissions.settled();
    expect(await app.ask()).toMatchObject({ code: 200, status: 'up' });
  });

  it('of a handler that has always returned at once is over as soon as it succeeds again', async () => {
    await using app = await checked({ deliver: () => {} });
    const handler = breakable(app.emissions);
    const statuses: unknown[] = [];
    for (const isBroken of [false, true, false]) {
      handler.isBroken = isBroken;
      // oxlint-disable-next-line no-await-in-loop -- one after another
      await app.emit(4);
      // oxlint-disable-next-line no-await-in-loop
      await app.emissions.settled();
      // oxlint-disable-next-line no-await-in-loop
      statuses.push(await app.ask());
    }
    expect(statuses).toMatchObject([{ status: 'up' }, { status: 'down' }, { status: 'up' }]);
  });

  it('is up with Terminus 11 where that of others would be degraded, since it does not know that', async () => {
    await using app = await checked({ deliver: () => Promise.reject(new Error('no')) });
    await app.emit(2);
    await app.emit(2);
    await app.emissions.settled();
    const status = (code: string) => (about: object) => ({ emissions: { status: code, ...about } });
    const terminus11 = { check: () => ({ up: status('up'), down: status('down') }) };
    const health = new EmissionsHealthIndicator(app.app.get(ModuleRef), terminus11 as never);
    expect(await health.check('emissions', { degradedFailures: 1 })).toMatchObject({
      emissions: { status: 'up', consumers: [{ consumer: 'mail', status: 'degraded' }] },
    });
    expect(await health.check('emissions', { downFailures: 1 })).toMatchObject({
      emissions: { status: 'down' },
    });
  });

  it('cannot be told of an application without emissions', async () => {
    const app = (
      await Test.createTestingModule({
        imports: [TerminusModule.forRoot({ logger: false })],
        providers: [EmissionsHealthIndicator],
      }).compile()
    ).createNestApplication({ logger: false });
    await app.init();
    const checking = app.get(EmissionsHealthIndicator).check('emissions');
    await expect(checking).rejects.toThrow(/add EmissionsModule\.forRoot\(\)/);
    await app.close();
  });

  it('is down when the application is no longer running', async () => {
    const app = await checked({ deliver: () => {} });
    const health = app.app.get(EmissionsHealthIndicator);
    await app.close();
    expect(await health.check('emissions')).toEqual({
      emissions: { status: 'down', state: 'closed', pending: 0 },
    });
  });
});
