import {
  Inject,
  Optional,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketServer,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  type OnGatewayInit,
} from '@nestjs/websockets';
import type { Namespace, Socket } from 'socket.io';
import { AdapterBinding, type BringsAdapter } from '../emission/adapter-binding.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import type { Emission } from '../emission/emission.js';
import type { LiveReport, ReportsLive } from '../emission/live-report.js';
import { signal } from '../telemetry/signal.js';
import { checkAuthentication, identify } from './authentication.js';
import { checkChannel } from './channel.js';
import { Connection } from './connection.js';
import { GatewayAdapter } from './gateway.adapter.js';
import { ChannelDeniedError, ConnectionRefusedError } from './gateway.errors.js';
import { gatewayOptions, type GatewayIdentity, type GatewayOptions } from './gateway.options.js';
import { LiveRoom } from './live-room.js';
import { checkFilter, type MemberFilter } from './members.js';
import {
  reasonOf,
  type ChannelAnswer,
  type ChannelRequest,
  type Presence,
  type PresenceAnswer,
} from './request.js';
import { answer } from './reception.js';

/** Where the gateway's options are found; `EmissionsGatewayModule` provides them. */
export const GATEWAY_OPTIONS: symbol = Symbol('nestjs-emissions:gateway-options');

/** The tenant of an application without tenants; no emission can carry it. */
const ANONYMOUS: GatewayIdentity = { tenant: '' };

/**
 * Lets browsers follow the channels of their tenant over socket.io.
 *
 * Use it through `EmissionsGatewayModule.forRoot(…)`, or extend it, with a `@WebSocketGateway(…)`, guards and filters of your
 * own, override `authenticate` and `authorize`, and list the subclass among your providers.
 *
 * A client sends `subscribe` `{ channel, after? }` and `unsubscribe` `{ channel }`, both acknowledged, and receives `emissions`:
 * an array in order, each with its `offset`, and the channels that carry them (one list for all, or, where missed ones are
 * replayed, one for each). It never names a tenant: that is fixed when the connection is authenticated. What it asks about
 * one channel is done in the order it asks, however long `authorize` takes. It may also receive `gap` (something is missing
 * that nobody has any more), `revoked` (it follows a channel no longer) and `closed` (why it is disconnected).
 */
export abstract class EmissionsGateway<I extends GatewayIdentity = GatewayIdentity>
  implements
    OnModuleInit,
    OnGatewayInit,
    OnGatewayConnection,
    OnGatewayDisconnect,
    BeforeApplicationShutdown,
    OnApplicationShutdown,
    BringsAdapter,
    ReportsLive
{
  /** The socket.io namespace; set by Nest. */
  @WebSocketServer()
  readonly server: Namespace | undefined = undefined;

  @Optional()
  @Inject(GATEWAY_OPTIONS)
  private readonly given: Partial<GatewayOptions<I>> | undefined = undefined;

  readonly #connections = new WeakMap<Socket, Connection<I>>();
  #options: GatewayOptions<I> | undefined;
  #room: LiveRoom<I> | undefined;
  #namespace: Namespace | undefined;

  /** What the pipeline finds and serves. */
  get emissionsAdapter(): AdapterBinding {
    return new AdapterBinding(new GatewayAdapter(this.room), undefined, this.options.consumer);
  }

  /** How its clients do, in this process. */
  get liveReport(): LiveReport {
    return this.room.report;
  }

  /** The options with their defaults. */
  protected get options(): GatewayOptions<I> {
    this.#options ??= gatewayOptions.resolve(
      this.given as Partial<GatewayOptions<any>> | undefined,
      'EmissionsGateway',
    ) as GatewayOptions<any>;
    return this.#options;
  }

  /** @internal Everything that is not about sockets. */
  get room(): LiveRoom<I> {
    this.#room ??= new LiveRoom(this.options, {
      tenantOf: (emission) => this.#tenantOf(emission),
      authorize: (identity, channel) => this.authorize(identity, channel),
    });
    return this.#room;
  }

  /** Finds out from the handshake who is there; override it, or give the option. A throw refuses the connection. */
  protected authenticate(socket: Socket): I | Promise<I> {
    const { authenticate, anonymous } = this.options;
    if (authenticate !== undefined) return authenticate(socket);
    if (anonymous) return ANONYMOUS as I;
    throw new ConfigurationError('No authentication is configured.');
  }

  /**
   * Tells whether somebody may follow a channel of their tenant: `true`; `false` or the reason refuse it, and so does a throw.
   * Override it, or give the option.
   */
  protected authorize(identity: I, channel: string): boolean | string | Promise<boolean | string> {
    return this.options.authorize?.(identity, channel) ?? true;
  }

  /** Who is at the other end of a socket of this gateway. */
  identityOf(socket: Socket): I | undefined {
    return this.#connections.get(socket)?.identity;
  }

  /**
   * Gives everybody of the identity's tenant and subject this identity from now on, and asks `authorize` anew for each channel
   * they follow; what it refuses they leave. Resolves when that is done in this process; others are told, which a shared history
   * or an adapter of socket.io connects, and get it as JSON.
   */
  async refresh(identity: I): Promise<void> {
    checkFilter(identity, 'refresh');
    await this.room.refresh(identity);
  }

  /**
   * Disconnects everybody of a tenant, or of one subject of it, in all processes that a shared history or an adapter of
   * socket.io connects; and those who are being authenticated at that moment.
   */
  disconnect(filter: MemberFilter): void {
    this.room.disconnect(checkFilter(filter, 'disconnect'));
  }

  /**
   * Takes everybody of a tenant, or of one subject of it, out of one channel, or all, at once and in all processes that
   * a shared history or an adapter of socket.io connects; they are told. What they may follow again is up to `authorize`.
   */
  revoke(filter: MemberFilter & { readonly channel?: string }): void {
    const channel = filter?.channel === undefined ? {} : { channel: checkChannel(filter.channel) };
    this.room.revoke({ ...checkFilter(filter, 'revoke'), ...channel });
  }

  /**
   * Who follows a channel of a tenant, by sockets and by server-sent events: in this process, and in those that an adapter of
   * socket.io connects and that answer in time.
   *
   * @throws ConfigurationError unless the option `presence` is on
   */
  async presence(tenant: string, channel: string): Promise<Presence[]> {
    return this.room.presence(tenant, checkChannel(channel));
  }

  /** @throws ConfigurationError when nothing tells who may connect, or another gateway has the namespace */
  async onModuleInit(): Promise<void> {
    const overridden = this.authenticate !== EmissionsGateway.prototype.authenticate;
    checkAuthentication(this.options, overridden);
    if (this.#namespace !== undefined) {
      claim(this.#namespace, this);
      this.room.serve(this.#namespace);
    }
    await this.room.open();
  }

  beforeApplicationShutdown(): void {
    this.#room?.beginToClose();
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.#namespace !== undefined) giveUp(this.#namespace, this);
    await this.#room?.close();
  }

  afterInit(server: Namespace): void {
    this.#namespace = server;
    // Before the hooks of start-up, where wrong options are refused; after them where a gateway comes late.
    this.#room?.serve(server);
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
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    this.room.enter(connection);
    const { tenant, subject } = connection.identity;
    signal('emissions:gateway:connected', () => ({ socket: socket.id, tenant, subject }));
  }

  handleDisconnect(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection !== undefined) this.room.exit(connection);
  }

  /** Lets the socket follow a channel of its tenant, when it may. */
  @SubscribeMessage('subscribe')
  subscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() message: unknown,
  ): Promise<ChannelAnswer> {
    return this.#answer(socket, message, async (connection, { channel, after }) => {
      const { offset, recovered } = await this.room.join(connection, channel, after);
      return { ok: true, channel, offset, recovered };
    });
  }

  /** Lets the socket follow a channel no longer; harmless when it does not. */
  @SubscribeMessage('unsubscribe')
  unsubscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() message: unknown,
  ): Promise<ChannelAnswer> {
    return this.#answer(socket, message, async (connection, { channel }) => {
      await connection.leave(channel);
      const offset = await this.room.offsetOf(connection.identity.tenant);
      return { ok: true, channel, offset, recovered: true };
    });
  }

  /** Tells a socket that follows a channel who else does, when the option `presence` is on. */
  @SubscribeMessage('presence')
  whoIsThere(
    @ConnectedSocket() socket: Socket,
    @MessageBody() message: unknown,
  ): Promise<PresenceAnswer> {
    return this.#answer(socket, message, async (connection, { channel }) => {
      if (!this.options.presence || !connection.followed.has(channel)) {
        throw new ChannelDeniedError(
          channel,
          'presence is told to those who follow it, where it is on.',
        );
      }
      const present = await this.room.presence(connection.identity.tenant, channel);
      return { ok: true, channel, present };
    });
  }

  /** Fails closed: what has no tenant, or a tenant where there are none, reaches nobody. */
  #tenantOf(emission: Emission): string | undefined {
    if (!this.options.anonymous) return emission.tenant;
    return emission.tenant === undefined ? ANONYMOUS.tenant : undefined;
  }

  #answer<A extends { ok: boolean }>(
    socket: Socket,
    message: unknown,
    act: (connection: Connection<I>, request: ChannelRequest) => Promise<A>,
  ) {
    const connection = this.#connections.get(socket);
    return answer(connection, message, this.options, this.room, act);
  }

  async #admit(socket: Socket): Promise<void> {
    const identity = await this.room.admit(() =>
      identify(socket, (given) => this.authenticate(given), this.options),
    );
    this.#connections.set(socket, new Connection<I>(socket, identity, this.options));
  }
}

const owners = new WeakMap<Namespace, object>();

/** Two gateways would both answer each socket, and deliver everything twice. */
function claim(namespace: Namespace, gateway: object): void {
  const owner = owners.get(namespace) ?? gateway;
  owners.set(namespace, owner);
  if (owner === gateway) return;
  throw new ConfigurationError(
    `Two gateways of emissions have the namespace '${namespace.name}', where every client would get everything twice. Remove one of ` +
      `them, or give it a namespace or a path of its own.`,
  );
}

/** Somebody else may have the server after this application. */
function giveUp(namespace: Namespace, gateway: object): void {
  if (owners.get(namespace) === gateway) owners.delete(namespace);
}
