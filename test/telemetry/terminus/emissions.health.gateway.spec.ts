import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { describe, expect, it } from '@jest/globals';
import { EmissionsModule } from 'nestjs-emissions';
import { EmissionsGatewayModule } from 'nestjs-emissions/gateway';
import { EmissionsHealthIndicator } from 'nestjs-emissions/terminus';
import { serve } from '../../support/app.js';
import { connectDeaf } from '../../support/deaf-client.js';
import { authenticate, TENANTS } from '../../support/gateway.js';
import { connect } from '../../support/sockets.js';
import { listen } from '../../support/signals.js';
import { untilAsked } from '../../support/until.js';

@Controller()
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(EmissionsHealthIndicator) private readonly emissions: EmissionsHealthIndicator,
  ) {}

  @Get('health')
  check() {
    const thresholds = { degradedClients: 3, degradedSlowClients: 1 };
    return this.health.check([() => this.emissions.check('emissions', thresholds)]);
  }
}

async function serveLive() {
  const app = await serve({
    imports: [
      TerminusModule.forRoot({ logger: false }),
      EmissionsModule.forRoot(TENANTS),
      EmissionsGatewayModule.forRoot({ authenticate, maxClientQueue: 20 }),
    ],
    controllers: [HealthController],
    providers: [EmissionsHealthIndicator],
  });
  const ask = async () => {
    const response = await app.request('GET', '/health');
    const { details } = (await response.json()) as { details: Record<string, object> };
    return { code: response.status, ...details['emissions'] };
  };
  return { ...app, ask };
}

describe('The health of a gateway', () => {
  it('is up with its clients, and degraded with more of them than there should be', async () => {
    await using app = await serveLive();
    expect(await app.ask()).toMatchObject({
      ...{ code: 200, status: 'up' },
      gateway: { clients: 0, slow: 0, slowLately: 0 },
    });
    using one = await connect(app.url, { tenant: 'a' });
    using two = await connect(app.url, { tenant: 'b' });
    expect(await app.ask()).toMatchObject({ status: 'up', gateway: { clients: 2 } });
    const three = await connect(app.url, { tenant: 'b' });
    expect(await app.ask()).toMatchObject({
      ...{ code: 200, status: 'degraded' },
      gateway: { clients: 3, status: 'degraded', reason: '3 clients' },
    });
    three[Symbol.dispose]();
    await untilAsked(async () => {
      const { gateway } = (await app.ask()) as unknown as { gateway: { clients: number } };
      return gateway.clients === 2;
    });
    expect(await app.ask()).toMatchObject({ status: 'up' });
    expect([one, two].every(({ socket }) => socket.connected)).toBe(true);
  });

  it('is degraded when a client was disconnected since it did not read', async () => {
    await using app = await serveLive();
    using log = listen('emissions:gateway:slow');
    const deaf = await connectDeaf(app.url, 'a');
    const text = 'x'.repeat(50_000);
    for (let n = 0; log.all.length === 0 && n < 2_000; n++) {
      // oxlint-disable-next-line no-await-in-loop
      await app.emissions.run(() => app.emissions.emit('tick', { n, text }, { orgId: 'a' }));
      // oxlint-disable-next-line no-await-in-loop
      await app.emissions.settled();
    }
    deaf.destroy();
    expect(await app.ask()).toMatchObject({
      ...{ code: 200, status: 'degraded' },
      gateway: { slow: 1, slowLately: 1, reason: '1 slow clients within a minute' },
    });
  }, 20_000);

  it('is not spoken of where there is none', async () => {
    await using app = await serve({
      imports: [TerminusModule.forRoot({ logger: false }), EmissionsModule.forRoot()],
      controllers: [HealthController],
      providers: [EmissionsHealthIndicator],
    });
    const response = await app.request('GET', '/health');
    expect(((await response.json()) as { details: object }).details).toEqual({
      emissions: { status: 'up', state: 'running', pending: 0 },
    });
  });
});
