export type {
  ChannelEntry,
  ChannelHistory,
  HistoryFeed,
  HistoryPosition,
  RecordedEntry,
} from '../emission/channel-history.js';
export type { ClosedNotice } from './closing.js';
export { EmissionsGateway, GATEWAY_OPTIONS } from './emissions.gateway.js';
export {
  ChannelDeniedError,
  ChannelError,
  ConnectionRefusedError,
  TooManyRequestsError,
} from './gateway.errors.js';
export { EmissionsGatewayModule } from './gateway.module.js';
export type { GatewayAddress, GatewayIdentity, GatewayOptions } from './gateway.options.js';
export type { HistoryOptions } from './history.options.js';
export type { MemberFilter } from './members.js';
export type { ChannelAnswer, Presence, PresenceAnswer, Refusal } from './request.js';
export { toWire } from './wire.js';
export type { WireEmission } from './wire.js';
