import { Inject, Optional, type OnModuleInit } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketServer,
  type OnGatewayConnection,
  type OnGatewayInit,
} from '@nestjs/websockets';
import type { Namespace, Socket } from 'socket.io';
import { AdapterBinding, type BringsAdapter } from '../emission/adapter-binding.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import { EmissionsError } from '../emission/emissions.error.js';
import type { Emission } from '../emission/emission.js';
import { quote } from '../emission/quote.js';
import { signal } from '../telemetry/signal.js';
import { checkChannel, isChannelRoom, roomOf } from './channel.js';
import { ChannelHeads } from './channel-heads.js';
import { ChannelTurns } from './channel-turns.js';
import { GatewayAdapter, type GatewayPort } from './gateway.adapter.js';
import { ChannelDeniedError, ChannelError, ConnectionRefusedError } from './gateway.errors.js';
import { gatewayOptions, type GatewayIdentity, type GatewayOptions } from './gateway.options.js';
import { inTime } from './in-time.js';

/** Where the gateway's options are found; `EmissionsGatewayModule` provides them. */
export const GATEWAY_OPTIONS: symbol = Symbol('nestjs-emissions:gateway-options');

/** The answer to `subscribe` and `unsubscribe`. */
export type ChannelAnswer =
  | {
      ok: true;
      channel: string;
      /** The newest emission of the tenant; give it as `after` when subscribing again. `null`: there was none. */
      offset: string | null;
      /** Whether nothing was missed since `after`. */
      recovered: boolean;
    }
  | { ok: false; error: { code: string; message: string } };

const GONE = 'the connection is gone.';

/** The tenant of an application without tenants; no emission can carry it. */
const ANONYMOUS: GatewayIdentity = { tenant: '' };

/**
 * Lets browsers follow the channels of their tenant over socket.io.
 *
 * Use it through `EmissionsGatewayModule.forRoot(…)`, or extend it, with a `@WebSocketGateway(…)`, guards and filters of your
 * own, override `authenticate` and `authorize`, and list the subclass among your providers.
 *
 * A client sends `subscribe` `{ channel, after? }` and `unsubscribe` `{ channel }`, both acknowledged, and receives `emissions`,
 * an array in order, each with its `offset`. It never names a tenant: that is fixed when the connection is authenticated. What
 * it asks about one channel is done in the order it asks, however long `authorize` takes.
 */
export abstract class EmissionsGateway<I extends GatewayIdentity = GatewayIdentity>
  implements OnModuleInit, OnGatewayInit, OnGatewayConnection, GatewayPort, BringsAdapter
{
  /** The socket.io namespace; set by Nest. */
  @WebSocketServer()
  readonly server: Namespace | undefined;

  @Optional()
  @Inject(GATEWAY_OPTIONS)
  private readonly given: Partial<GatewayOptions<I>> | undefined;

  /** @internal */
  readonly heads: ChannelHeads = new ChannelHeads();
  readonly #identities = new WeakMap<Socket, I>();
  readonly #turns = new ChannelTurns();
  #options: GatewayOptions<I> | undefined;

  /** What the pipeline finds and serves. */
  get emissionsAdapter(): AdapterBinding {
    return new AdapterBinding(new GatewayAdapter(this), undefined, this.options.consumer);
  }

  /** The options with their defaults. */
  protected get options(): GatewayOptions<I> {
    this.#options ??= gatewayOptions.resolve(
      this.given as Partial<GatewayOptions<any>> | undefined,
      'EmissionsGateway',
    ) as GatewayOptions<any>;
    return this.#options;
  }

  /** Finds out from the handshake who is there; override it, or give the option. A throw refuses the connection. */
  protected authenticate(socket: Socket): I | Promise<I> {
    const { authenticate, anonymous } = this.options;
    if (authenticate !== undefined) return authenticate(socket);
    if (anonymous) return ANONYMOUS as I;
    throw new ConfigurationError('No authentication is configured.');
  }

  /** Tells whether a socket may follow a channel of its tenant; override it, or give the option. */
  protected authorize(identity: I, channel: string): boolean | Promise<boolean> {
    return this.options.authorize?.(identity, channel) ?? true;
  }

  /** Who is at the other end of a socket of this gateway. */
  identityOf(socket: Socket): I | undefined {
    return this.#identities.get(socket);
  }

  /** @throws ConfigurationError when nothing tells who may connect */
  onModuleInit(): void {
    const { authenticate, anonymous } = this.options;
    const overridden = this.authenticate !== EmissionsGateway.prototype.authenticate;
    if (authenticate !== undefined && anonymous) {
      throw new ConfigurationError(
        'EmissionsGateway: "anonymous" and "authenticate" exclude one another; remove one.',
      );
    }
    if (overridden || authenticate !== undefined || anonymous) return;
    throw new ConfigurationError(
      'EmissionsGateway has no authentication, and anybody could follow any tenant. Write ' +
        "EmissionsGatewayModule.forRoot({ authenticate: async (socket) => ({ tenant: '…', subject: '…' }) }), or, for an " +
        'application without tenants, { anonymous: true }.',
    );
  }

  afterInit(server: Namespace): void {
    server.use((socket, next) => {
      this.#admit(socket).then(
        () => next(),
        (error: unknown) => {
          signal('emissions:gateway:refused', () => ({ socket: socket.id, error }));
          next(
            error instanceof ConnectionRefusedError
              ? error
              : new ConnectionRefusedError(reasonOf(error), { cause: error }),
          );
        },
      );
    });
  }

  handleConnection(socket: Socket): void {
    const identity = this.identityOf(socket);
    signal('emissions:gateway:connected', () => ({
      socket: socket.id,
      tenant: identity?.tenant,
      subject: identity?.subject,
    }));
  }

  /** Lets the socket follow a channel of its tenant, when it may. */
  @SubscribeMessage('subscribe')
  async subscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() message: unknown,
  ): Promise<ChannelAnswer> {
    return this.#answer(socket, message, async (identity, channel, after) => {
      await this.#join(socket, identity, channel);
      signal('emissions:gateway:subscribed', () => ({
        socket: socket.id,
        tenant: identity.tenant,
        channel,
      }));
      const offset = this.heads.of(identity.tenant);
      return { ok: true, channel, offset, recovered: after === undefined || after === offset };
    });
  }

  /** Lets the socket follow a channel no longer; harmless when it does not. */
  @SubscribeMessage('unsubscribe')
  async unsubscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() message: unknown,
  ): Promise<ChannelAnswer> {
    return this.#answer(socket, message, async (identity, channel) => {
      await socket.leave(roomOf(identity.tenant, channel));
      return { ok: true, channel, offset: this.heads.of(identity.tenant), recovered: true };
    });
  }

  /** @internal Fails closed: what has no tenant, or a tenant where there are none, reaches nobody. */
  tenantOf(emission: Emission): string | undefined {
    if (!this.options.anonymous) return emission.tenant;
    return emission.tenant === undefined ? ANONYMOUS.tenant : undefined;
  }

  /** @internal */
  serialize(emission: Emission): unknown {
    return this.options.serialize(emission);
  }

  async #admit(socket: Socket): Promise<void> {
    const { authenticateTimeoutMs, anonymous } = this.options;
    const identity = await inTime(
      async () => this.authenticate(socket),
      authenticateTimeoutMs,
      () =>
        new ConnectionRefusedError(`authentication took longer than ${authenticateTimeoutMs} ms.`),
    );
    const tenant: unknown = identity?.tenant;
    if (typeof tenant !== 'string' || (tenant === '' && !anonymous)) {
      throw new ConnectionRefusedError(
        `authentication must give { tenant: '…' }, but gave ${quote(tenant)} for it.`,
      );
    }
    this.#identities.set(socket, Object.freeze({ ...identity }));
  }

  async #join(socket: Socket, identity: I, channel: string): Promise<void> {
    const room = roomOf(identity.tenant, channel);
    if (socket.rooms.has(room)) return;
    // It may have left while it waited for its turn, and that is nobody's business to decide on any more.
    if (!socket.connected) throw new ChannelDeniedError(channel, GONE);
    const { authorizeTimeoutMs } = this.options;
    let allowed: boolean;
    try {
      const answer = await inTime(
        async () => this.authorize(identity, channel),
        authorizeTimeoutMs,
        () => new Error(`authorization took longer than ${authorizeTimeoutMs} ms.`),
      );
      allowed = answer === true;
    } catch (error) {
      throw new ChannelDeniedError(channel, reasonOf(error), { cause: error });
    }
    if (!allowed) throw new ChannelDeniedError(channel, 'not authorized.');
    const { maxChannels } = this.options;
    if ([...socket.rooms].filter(isChannelRoom).length >= maxChannels) {
      throw new ChannelDeniedError(
        channel,
        `one connection may follow ${maxChannels} channels; leave another first.`,
      );
    }
    // It may have left while it was authorized; a room that a gone socket joins would never be cleared.
    if (!socket.connected) throw new ChannelDeniedError(channel, GONE);
    await socket.join(room);
  }

  async #answer(
    socket: Socket,
    message: unknown,
    act: (identity: I, channel: string, after: string | null | undefined) => Promise<ChannelAnswer>,
  ): Promise<ChannelAnswer> {
    const identity = this.identityOf(socket);
    try {
      if (identity === undefined) throw new ChannelError('The connection is not authenticated.');
      const { channel, after } = readMessage(message);
      const atOnce = 2 * this.options.maxChannels;
      if (this.#turns.waiting(socket) >= atOnce) {
        throw new ChannelDeniedError(channel, `${atOnce} requests wait for an answer already.`);
      }
      return await this.#turns.take(socket, channel, () => act(identity, channel, after));
    } catch (error) {
      signal('emissions:gateway:denied', () => ({
        socket: socket.id,
        tenant: identity?.tenant,
        channel: quote((message as { channel?: unknown } | null | undefined)?.channel),
        error,
      }));
      const code = error instanceof EmissionsError ? error.code : 'EMISSIONS_CHANNEL_DENIED';
      return { ok: false, error: { code, message: reasonOf(error) } };
    }
  }
}

/** @throws ChannelError for anything but `{ channel, after? }` */
function readMessage(message: unknown): { channel: string; after: string | null | undefined } {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw new ChannelError(`The message must be { channel }, but got ${quote(message)}.`);
  }
  const { channel, after, ...rest } = message as { channel?: unknown; after?: unknown };
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw new ChannelError(
      `The message has no field ${quote(unknown)}; it takes channel and after.`,
    );
  if (after !== undefined && after !== null && (typeof after !== 'string' || after.length > 128)) {
    throw new ChannelError(`The field after must be an offset, but got ${quote(after)}.`);
  }
  return { channel: checkChannel(channel), after };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : quote(error);
}
