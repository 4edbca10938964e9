export { connect } from './connect.js';
export type { ClientSocket } from './client-socket.js';
export { LiveChannel } from './live-channel.js';
export type { ChannelRefusal, ChannelState } from './live-channel.js';
export { LiveClient } from './live-client.js';
export type { Closing, LiveClientOptions } from './live-client.js';
export type { Carried, LiveEmission } from './live-emission.js';
export type { Wired } from './wired.js';
