export type {
  ChannelEntry,
  ChannelHistory,
  HistoryFeed,
  HistoryPosition,
  RecordedEntry,
} from '../emission/channel-history.js';
export type { LiveReport, ReportsLive } from '../emission/live-report.js';
export { cookieAuthentication } from './cookie-authentication.js';
export type { CookieAuthentication } from './cookie-authentication.js';
export type { ClosedNotice } from './closing.js';
export { EmissionsGateway, GATEWAY_OPTIONS } from './emissions.gateway.js';
export { EmissionsStream } from './emissions.stream.js';
export type { StreamOptions, StreamRequest } from './emissions.stream.js';
export {
  ChannelDeniedError,
  ChannelError,
  ConnectionRefusedError,
  TooManyRequestsError,
} from './gateway.errors.js';
export { EmissionsGatewayModule, type GatewayAsyncOptions } from './gateway.module.js';
export type { GatewayAddress, GatewayIdentity, GatewayOptions } from './gateway.options.js';
export type { HistoryOptions } from './history.options.js';
export { jwtAuthentication } from './jwt-authentication.js';
export type {
  JwtAuthentication,
  JwtClaims,
  JwtDemands,
  JwtKeyFinder,
} from './jwt-authentication.js';
export type { MemberFilter } from './members.js';
export type { ChannelAnswer, Presence, PresenceAnswer, Refusal } from './request.js';
export type { EventSink } from './stream-follower.js';
export { toWire } from './wire.js';
export type { WireEmission } from './wire.js';
