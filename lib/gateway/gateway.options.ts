import type { GatewayMetadata } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import type { ChannelHistory } from '../emission/channel-history.js';
import type { ConsumerSettings } from '../emission/consumer.options.js';
import type { Emission } from '../emission/emission.js';
import {
  callback,
  defineOptions,
  flag,
  integer,
  milliseconds,
  value,
  type OptionRule,
  type OptionSet,
} from '../emission/option-set.js';
import { historyOptions, type HistoryOptions } from './history.options.js';
import { toWire } from './wire.js';

/** Who is at the other end of a socket; found once, when it connects. Plain data: it is copied. */
export interface GatewayIdentity {
  /** The one tenant whose channels the socket may follow. */
  readonly tenant: string;
  /** The user, for `authorize`, presence, `disconnect`, signals and logs. */
  readonly subject?: string;
  /** When the connection ends unless it is refreshed before, in epoch milliseconds: when a token expires. */
  readonly expiresAt?: number;
}

/** How the gateway tells who is there, who may follow what, and what they are sent. */
export interface GatewayOptions<I extends GatewayIdentity = GatewayIdentity> {
  /**
   * Finds out from the handshake who is there. A throw refuses the connection, and its message reaches the client; so does
   * an answer without a tenant. Required, unless a subclass overrides it or `anonymous` is set.
   */
  authenticate?: (socket: Socket) => I | Promise<I>;
  /**
   * How long `authenticate` may take, in milliseconds.
   * @default 10000
   */
  authenticateTimeoutMs: number;
  /**
   * Tells whether somebody may follow a channel of their tenant. `false`, a reason and a throw refuse it. Default: they may.
   */
  authorize?: (identity: I, channel: string) => boolean | string | Promise<boolean | string>;
  /**
   * How long `authorize` may take, in milliseconds; what takes longer is refused.
   * @default 10000
   */
  authorizeTimeoutMs: number;
  /**
   * For applications without tenants: anyone may connect and follows what has no tenant; what has one goes to nobody.
   * @default false
   */
  anonymous: boolean;
  /**
   * Makes what is sent of an emission. An object gets an `offset` beside its fields, anything else becomes
   * `{ offset, data }`. A throw fails that emission alone.
   * @default toWire
   */
  serialize: (emission: Emission) => unknown;
  /**
   * How many channels one socket may follow; twice as many of its requests may wait for an answer at once.
   * @default 100
   */
  maxChannels: number;
  /**
   * Gives channels of the application's own that carry an emission, `entity/<type>/<id>`, beside those it is on anyway. Each
   * frame names the channels that carry it, so all who follow one of them can see these names.
   */
  channels?: (emission: Emission) => readonly string[];
  /**
   * How many requests a second a connection may send for long; it may send twice `maxChannels` and 50 at once. What is malformed
   * counts as ten. Too many are refused; a connection that goes on is disconnected.
   * @default 20
   */
  maxRequestsPerSecond: number;
  /**
   * How many frames may wait for a client that reads slower than they come. Past that it is disconnected with the reason
   * `EMISSIONS_SLOW_CONSUMER`, comes back, and recovers by its offsets. One that has more waiting is sent nothing more of what
   * it missed.
   * @default 1000
   */
  maxClientQueue: number;
  /**
   * What is kept for those who come back: how much, in this process's memory; or a history of several processes, such as
   * `new RedisChannelHistory({ client })` of `nestjs-emissions/redis`.
   */
  history: Partial<HistoryOptions> | ChannelHistory;
  /**
   * Whether it can be asked who follows a channel: `gateway.presence(…)`, and the message `presence` for those who follow it.
   * @default false
   */
  presence: boolean;
  /** How the gateway is served by the pipeline, as with any adapter. */
  consumer: ConsumerSettings;
}

/** Where the gateway listens; part of the class, so it cannot come from an asynchronous factory. */
export interface GatewayAddress {
  /**
   * The socket.io namespace. `authenticate` admits to all of it: also to other gateways of the application that listen there,
   * so that a socket it refuses reaches none of them. Give it one of its own beside those.
   * @default '/'
   */
  namespace?: string;
  /**
   * The path of the socket.io server on the application's port.
   * @default '/socket.io'
   */
  path?: string;
  /**
   * Who may connect from where, as in socket.io; default: the same origin. Gateways of one path share a server, and the
   * first one's rules.
   */
  cors?: GatewayMetadata['cors'];
}

const historyRule: OptionRule<Partial<HistoryOptions> | ChannelHistory> = {
  takes: 'an object with size and maxAgeMs, or a ChannelHistory',
  default: {},
  check: (given, path) => {
    if (isHistory(given)) return given;
    return historyOptions.resolve(given as Partial<HistoryOptions>, path);
  },
};

/** Whether it is a history itself, and not what one is made of. */
export function isHistory(given: unknown): given is ChannelHistory {
  return typeof (given as ChannelHistory | null | undefined)?.append === 'function';
}

/** The rules of {@link GatewayOptions}. */
export const gatewayOptions: OptionSet<GatewayOptions> = defineOptions<GatewayOptions>({
  authenticate: callback(),
  authenticateTimeoutMs: milliseconds({ min: 1, default: 10_000 }),
  authorize: callback(),
  authorizeTimeoutMs: milliseconds({ min: 1, default: 10_000 }),
  anonymous: flag(false),
  serialize: callback(toWire),
  maxChannels: integer({ min: 1, default: 100 }),
  channels: callback(),
  maxRequestsPerSecond: integer({ min: 1, default: 20 }),
  maxClientQueue: integer({ min: 1, default: 1_000 }),
  history: historyRule,
  presence: flag(false),
  consumer: value<ConsumerSettings>(
    'an object of consumer options',
    (given) => typeof given === 'object' && given !== null && !Array.isArray(given),
    {},
  ),
});
