import type { GatewayMetadata } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import type { ConsumerSettings } from '../emission/consumer.options.js';
import type { Emission } from '../emission/emission.js';
import {
  callback,
  defineOptions,
  flag,
  integer,
  milliseconds,
  value,
  type OptionSet,
} from '../emission/option-set.js';
import { toWire } from './wire.js';

/** Who is at the other end of a socket; found once, when it connects. */
export interface GatewayIdentity {
  /** The one tenant whose channels the socket may follow. */
  readonly tenant: string;
  /** The user, for `authorize`, signals and logs. */
  readonly subject?: string;
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
  /** Tells whether a socket may follow a channel of its tenant. `false` and a throw refuse it. Default: it may. */
  authorize?: (identity: I, channel: string) => boolean | Promise<boolean>;
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

/** The rules of {@link GatewayOptions}. */
export const gatewayOptions: OptionSet<GatewayOptions> = defineOptions<GatewayOptions>({
  authenticate: callback(),
  authenticateTimeoutMs: milliseconds({ min: 1, default: 10_000 }),
  authorize: callback(),
  authorizeTimeoutMs: milliseconds({ min: 1, default: 10_000 }),
  anonymous: flag(false),
  serialize: callback(toWire),
  maxChannels: integer({ min: 1, default: 100 }),
  consumer: value<ConsumerSettings>(
    'an object of consumer options',
    (given) => typeof given === 'object' && given !== null && !Array.isArray(given),
    {},
  ),
});
