import {
  ConfigurableModuleBuilder,
  Module,
  type ConfigurableModuleCls,
  type ConfigurableModuleHost,
  type DynamicModule,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { WebSocketGateway } from '@nestjs/websockets';
import { asyncModule, checkOptions, type AsyncOptionsOf } from '../emission/async-options.js';
import { RefusedModule } from '../emission/refused.module.js';
import { refuseWithoutForRoot, requireRootModule } from '../emission/root-module.js';
import { EmissionsGateway, GATEWAY_OPTIONS } from './emissions.gateway.js';
import { EmissionsStream } from './emissions.stream.js';
import type { GatewayAddress, GatewayOptions } from './gateway.options.js';

type Options = Partial<GatewayOptions<any>>;
type Host = ConfigurableModuleHost<Options, 'forRoot', 'createGatewayOptions', GatewayAddress>;

/** Where socket.io listens unless it is told otherwise. */
const SOCKET_IO = '/socket.io';
const ROOT = Symbol('nestjs-emissions:gateway-root');

const host: Host = new ConfigurableModuleBuilder<Options>({
  optionsInjectionToken: GATEWAY_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createGatewayOptions')
  .setExtras<GatewayAddress>(
    { namespace: '/', path: SOCKET_IO, cors: undefined },
    (definition, address) => withGateway(definition, address),
  )
  .build();

const GatewayConfigurableModule: ConfigurableModuleCls<
  Options,
  'forRoot',
  'createGatewayOptions',
  GatewayAddress
> = host.ConfigurableModuleClass;

/** What `forRootAsync` takes. */
export type GatewayAsyncOptions = Parameters<typeof GatewayConfigurableModule.forRootAsync>[0];

const ASYNC: AsyncOptionsOf = {
  method: 'EmissionsGatewayModule.forRootAsync',
  own: ['namespace', 'path', 'cors'],
  token: GATEWAY_OPTIONS,
  makes: 'createGatewayOptions',
};
const EXAMPLE =
  "Write EmissionsGatewayModule.forRoot({ authenticate: async (socket) => ({ tenant: '…', subject: '…' }) }).";

/**
 * Adds a gateway to the application: `EmissionsGatewayModule.forRoot({ authenticate, … })`, or `forRootAsync`, with `namespace`,
 * `path` and `cors` beside the factory.
 *
 * Not needed for a subclass of `EmissionsGateway` with a `@WebSocketGateway` of its own: list that among your providers.
 */
@Module({
  providers: [
    {
      provide: GATEWAY_OPTIONS,
      useFactory: refuseWithoutForRoot(
        'EmissionsGatewayModule',
        'Write EmissionsGatewayModule.forRoot({ authenticate }).',
      ),
    },
    {
      provide: ROOT,
      useFactory: (modules: ModuleRef) => requireRootModule(modules, 'EmissionsGatewayModule'),
      inject: [ModuleRef],
    },
  ],
})
export class EmissionsGatewayModule extends GatewayConfigurableModule {
  /** Adds the gateway; options that are none, or lack `authenticate`, are refused when the application starts. */
  static override forRoot(
    options: Partial<GatewayOptions<any>> & Partial<GatewayAddress>,
  ): DynamicModule {
    return RefusedModule.unless(() =>
      super.forRoot(checkOptions('EmissionsGatewayModule.forRoot', options, EXAMPLE)),
    );
  }

  /** As `forRoot`, with options that a factory makes; the address, which Nest reads before, stands beside it. */
  static override forRootAsync(options: GatewayAsyncOptions): DynamicModule {
    return asyncModule(ASYNC, options, (checked) => super.forRootAsync(checked));
  }
}

/** Each registration gets a class of its own, since Nest reads the address of a gateway from its class. */
function withGateway(
  definition: DynamicModule,
  { namespace, path, cors }: GatewayAddress,
): DynamicModule {
  class ConfiguredGateway extends EmissionsGateway {}
  WebSocketGateway({
    namespace: namespace ?? '/',
    // Nest shares one server among gateways whose paths are written alike, and others write nothing for this one.
    ...(path !== undefined && path !== SOCKET_IO && { path }),
    ...(cors !== undefined && { cors }),
  })(ConfiguredGateway);
  return {
    ...definition,
    providers: [
      ...(definition.providers ?? []),
      ConfiguredGateway,
      { provide: EmissionsGateway, useExisting: ConfiguredGateway },
      EmissionsStream,
    ],
    exports: [...(definition.exports ?? []), EmissionsGateway, EmissionsStream],
  };
}
