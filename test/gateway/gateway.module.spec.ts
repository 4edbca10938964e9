import { describe, expect, it } from '@jest/globals';
import {
  Injectable,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { ConfigurationError, EmissionsModule } from 'nestjs-emissions';
import {
  EmissionsGateway,
  EmissionsGatewayModule,
  type GatewayIdentity,
} from 'nestjs-emissions/gateway';
import { serve, start } from '../support/app.js';
import { authenticate, serveGateway, TENANTS } from '../support/gateway.js';
import { listen } from '../support/signals.js';
import { connect } from '../support/sockets.js';

describe('the gateway module', () => {
  it('refuses to start without authentication, and says what to write', async () => {
    const starting = start({
      imports: [EmissionsModule.forRoot({}), EmissionsGatewayModule.forRoot({})],
    });
    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(/EmissionsGatewayModule\.forRoot\(\{ authenticate/);
  });

  it('refuses to start twice in one namespace, and starts in two', async () => {
    const open = (other: object) => {
      const imports = [
        EmissionsModule.forRoot({}),
        EmissionsGatewayModule.forRoot({ authenticate }),
        EmissionsGatewayModule.forRoot({ authenticate, ...other }),
      ];
      return serve({ imports }, 'express');
    };
    await expect(open({})).rejects.toThrow(
      /Two gateways of emissions have the namespace '\/', where every client would get everything twice/,
    );
    const running = await open({ namespace: '/other' });
    await running.close();
  });

  it.each([undefined, null, 'x'])(
    'refuses to start with %p in the place of options',
    async (options) => {
      const starting = start({
        imports: [EmissionsModule.forRoot({}), EmissionsGatewayModule.forRoot(options as never)],
      });
      await expect(starting).rejects.toThrow(ConfigurationError);
      await expect(starting).rejects.toThrow(
        /^EmissionsGatewayModule\.forRoot takes an object of options, but got (undefined|null|'x')\. Write EmissionsGatewayModule\.forRoot\(\{ authenticate: /,
      );
    },
  );

  it.each<[object | undefined, RegExp]>([
    [undefined, /forRootAsync takes an object of options, but got undefined/],
    [
      { useClass: class Settings {} },
      /asks Settings for options with createGatewayOptions\(\), and it has no such method/,
    ],
    [
      { anonymous: true, useFactory: () => ({}) },
      /forRootAsync has no option "anonymous" beside the factory; return it from there, if the module has it\. Beside it: cors, imports, inject, namespace, path/,
    ],
  ])('refuses %p for a factory when the application starts', async (options, message) => {
    const imports = [
      EmissionsModule.forRoot(),
      EmissionsGatewayModule.forRootAsync(options as never),
    ];
    await expect(start({ imports })).rejects.toThrow(ConfigurationError);
    await expect(start({ imports })).rejects.toThrow(message);
  });

  it('refuses options that are wrong or exclude one another', async () => {
    const starting = (gateway: object) =>
      start({ imports: [EmissionsModule.forRoot({}), EmissionsGatewayModule.forRoot(gateway)] });
    await expect(starting({ authenticate: 1 })).rejects.toThrow(
      /EmissionsGateway\.authenticate takes a function, but got 1/,
    );
    await expect(starting({ authentificate: authenticate })).rejects.toThrow(
      /has no option "authentificate"/,
    );
    await expect(starting({ authenticate, anonymous: true })).rejects.toThrow(
      /exclude one another/,
    );
  });

  it.each([
    [
      'without EmissionsModule.forRoot',
      [EmissionsGatewayModule.forRoot({ authenticate })],
      /EmissionsGatewayModule is imported, but EmissionsModule\.forRoot is not/,
    ],
    [
      'without its own forRoot',
      [EmissionsModule.forRoot(), EmissionsGatewayModule],
      /EmissionsGatewayModule is imported without its forRoot\. Write EmissionsGatewayModule\.forRoot\(\{/,
    ],
  ])('refuses to start %s', async (_, imports, message) => {
    const starting = start({ imports });
    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(message);
  });

  it('lets anyone in when it is anonymous, and shows nothing that has a tenant', async () => {
    await using app = await serveGateway({ anonymous: true });
    using client = await connect(app.url);
    using log = listen('emissions:emission:dropped');
    await client.ask('subscribe', { channel: '*' });
    await app.emissions.run(() => {
      app.emissions.emit('of.a', {}, { orgId: 'a' });
      app.emissions.emit('of.all', {});
    });
    await client.until(1);
    expect(client.names).toEqual(['of.all']);
    expect(log.of('emissions:emission:dropped')).toMatchObject([
      { reason: 'foreign-tenant', emission: 'of.a' },
    ]);
  });

  it('listens on a namespace and a path of its own, configured asynchronously', async () => {
    await using app = await serve({
      imports: [
        EmissionsModule.forRoot(TENANTS),
        EmissionsGatewayModule.forRootAsync({
          namespace: '/live',
          path: '/ws',
          useFactory: async () => ({ authenticate }),
        }),
      ],
    });
    using client = await connect(`${app.url}/live`, { tenant: 'a' }, { path: '/ws' });
    await client.ask('subscribe', { channel: '*' });
    await app.emissions.run(() => app.emissions.emit('x', 1, { orgId: 'a' }));
    expect(await client.until(1)).toHaveLength(1);
  });

  describe('beside another gateway of the application, on /', () => {
    @WebSocketGateway()
    class Chat {
      @SubscribeMessage('say')
      say(): string {
        return 'said';
      }
    }
    const beside = (namespace: string) =>
      serve({
        imports: [
          EmissionsModule.forRoot(TENANTS),
          EmissionsGatewayModule.forRoot({ namespace, authenticate }),
        ],
        providers: [Chat],
      });

    it('admits to both when it is on / too: to its whole namespace', async () => {
      await using app = await beside('/');
      await expect(connect(app.url)).rejects.toThrow(/no token/);
      using client = await connect(app.url, { tenant: 'a' });
      expect(await client.ask('say')).toBe('said');
      expect(await client.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
    });

    it('leaves that alone with a namespace of its own', async () => {
      await using app = await beside('/emissions');
      using stranger = await connect(app.url);
      expect(await stranger.ask('say')).toBe('said');
      await expect(connect(`${app.url}/emissions`)).rejects.toThrow(/no token/);
      using client = await connect(`${app.url}/emissions`, { tenant: 'a' });
      expect(await client.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
    });
  });

  it('is not needed for a subclass with its own address, guards and rules', async () => {
    @Injectable()
    class Guard implements CanActivate {
      canActivate(context: ExecutionContext) {
        return context.switchToWs().getData<{ channel: string }>().channel !== 'event/guarded';
      }
    }
    @UseGuards(Guard)
    @WebSocketGateway({ namespace: '/own' })
    class LiveGateway extends EmissionsGateway {
      protected override authenticate(socket: Socket) {
        return { tenant: String(socket.handshake.query['org']) };
      }
      protected override authorize(_identity: GatewayIdentity, channel: string) {
        return channel !== '*';
      }
    }
    await using app = await serve({
      imports: [EmissionsModule.forRoot(TENANTS)],
      providers: [Guard, LiveGateway as Type<LiveGateway>],
    });
    using client = await connect(`${app.url}/own`, {}, { query: { org: 'a' } });
    expect(await client.ask('subscribe', { channel: '*' })).toMatchObject({ ok: false });
    expect(await client.ask('subscribe', { channel: 'event/x' })).toMatchObject({ ok: true });
    const refused = new Promise((resolve) => client.socket.once('exception', resolve));
    client.socket.emit('subscribe', { channel: 'event/guarded' });
    expect(await refused).toMatchObject({ status: 'error', message: 'Forbidden resource' });
    await app.emissions.run(() => {
      app.emissions.emit('guarded', 1, { orgId: 'a' });
      app.emissions.emit('x', 2, { orgId: 'a' });
    });
    await client.until(1);
    expect(client.names).toEqual(['x']);
  });
});
