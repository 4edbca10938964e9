import {
  BadRequestException,
  ForbiddenException,
  Injectable,
  type MessageEvent,
} from '@nestjs/common';
import { EMPTY, Observable } from 'rxjs';
import { checkChannel } from './channel.js';
import { EmissionsGateway } from './emissions.gateway.js';
import { ChannelError } from './gateway.errors.js';
import type { GatewayIdentity } from './gateway.options.js';
import { reasonOf } from './request.js';
import { StreamFollower, type EventSink } from './stream-follower.js';

/** A request for server-sent events, of Express, Fastify or Node. */
export interface StreamRequest {
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly socket?: EventSink | null;
}

/** Who wants to follow what. */
export interface StreamOptions<I extends GatewayIdentity = GatewayIdentity> {
  /** Who is there, as your guard has found out; the channels are those of its tenant. */
  readonly identity: I;
  /** One or more channels, as sockets name them. */
  readonly channels: readonly string[];
}

/**
 * The gateway's channels as server-sent events, for Nest's `@Sse()`; provided by `EmissionsGatewayModule`. Who may follow what
 * is up to the gateway's `authorize`, as with sockets.
 *
 * ```ts
 * @Sse('live')
 * @UseGuards(SessionGuard)
 * live(@Req() request: SessionRequest) {
 *   return this.stream.of(request, { identity: request.identity, channels: ['topic/orders'] });
 * }
 * ```
 *
 * A browser's `EventSource` gets `emission` events, each with its offset as its id, `following` at the beginning, `gap` where
 * something is missing that nobody has any more, `revoked` and `closed`. When it comes back, it says by `Last-Event-ID` where
 * it was, and gets what it missed. A client that does not read is cut off as sockets are. When the application closes, the streams end
 * first, and browsers connect again.
 */
@Injectable()
export class EmissionsStream<I extends GatewayIdentity = GatewayIdentity> {
  constructor(private readonly gateway: EmissionsGateway<I>) {}

  /**
   * Follows the channels. Resolves when all of them are followed; each result is for one subscriber.
   *
   * @throws BadRequestException for what is no channel, ForbiddenException for one that may not be followed
   */
  async of(request: StreamRequest, options: StreamOptions<I>): Promise<Observable<MessageEvent>> {
    const { room } = this.gateway;
    const channels = checkChannels(options.channels);
    if (request.socket?.destroyed === true) return EMPTY;
    const follower: StreamFollower<I> = new StreamFollower<I>(
      options.identity,
      request.socket ?? undefined,
      () => room.exit(follower),
    );
    room.enter(follower);
    const last = request.headers['last-event-id'];
    const after = typeof last === 'string' && last !== '' ? last.slice(0, 128) : undefined;
    try {
      let whole = true;
      let offset = '';
      for (const channel of channels) {
        // One behind another: each gets only what those before it did not bring.
        // oxlint-disable-next-line no-await-in-loop
        const following = await room.join(follower, channel, after);
        offset = following.offset;
        whole &&= following.recovered;
      }
      follower.begin(offset, whole);
    } catch (error) {
      // Nobody is there any more to be told why.
      if (follower.gone) return EMPTY;
      follower.end();
      throw new ForbiddenException(reasonOf(error), { cause: error });
    }
    if (follower.gone) return EMPTY;
    return new Observable((subscriber) => {
      follower.serve(subscriber);
      return () => follower.end();
    });
  }
}

function checkChannels(channels: readonly string[]): string[] {
  try {
    if (!Array.isArray(channels) || channels.length === 0)
      throw new ChannelError('A stream follows one channel or more.');
    return [...new Set(channels.map(checkChannel))];
  } catch (error) {
    throw new BadRequestException(reasonOf(error), { cause: error });
  }
}
