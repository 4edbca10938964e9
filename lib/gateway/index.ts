export { EmissionsGateway, GATEWAY_OPTIONS } from './emissions.gateway.js';
export type { ChannelAnswer } from './emissions.gateway.js';
export { ChannelDeniedError, ChannelError, ConnectionRefusedError } from './gateway.errors.js';
export { EmissionsGatewayModule } from './gateway.module.js';
export type { GatewayAddress, GatewayIdentity, GatewayOptions } from './gateway.options.js';
export { toWire } from './wire.js';
export type { WireEmission } from './wire.js';
