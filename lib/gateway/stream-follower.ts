import { randomUUID } from 'node:crypto';
import type { MessageEvent } from '@nestjs/common';
import type { Subscriber } from 'rxjs';
import type { RecordedEntry } from '../emission/channel-history.js';
import type { ClosedNotice } from './closing.js';
import type { Follower } from './follower.js';
import { itemOf } from './frame.js';
import type { GatewayIdentity } from './gateway.options.js';
import { writeOffset } from './offset.js';

/** The connection that server-sent events are written to. */
export interface EventSink {
  readonly writableNeedDrain: boolean;
  readonly destroyed: boolean;
  destroy(): void;
  end(): unknown;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
}

/** Somebody who follows channels by server-sent events. */
export class StreamFollower<I extends GatewayIdentity> implements Follower<I> {
  readonly id: string = randomUUID();
  readonly followed: Map<string, number> = new Map();
  rights = 0;
  gone = false;
  /** What came before there is anybody to give it to. */
  #early: MessageEvent[] = [];
  #subscriber: Subscriber<MessageEvent> | undefined;
  #waiting = 0;
  readonly #ended: () => void;
  readonly #closed = (): void => this.end();

  constructor(
    public identity: I,
    private readonly sink: EventSink | undefined,
    ended: () => void,
  ) {
    this.#ended = ended;
    // It may go before there is a subscriber, who would notice.
    sink?.once('close', this.#closed);
  }

  /** How much was written since the connection took no more. */
  get waiting(): number {
    return this.#waiting + this.#early.length;
  }

  /** Gives what came and comes to a subscriber, who is the only one. */
  serve(subscriber: Subscriber<MessageEvent>): void {
    this.#subscriber = subscriber;
    const early = this.#early;
    this.#early = [];
    for (const message of early) this.#send(message);
    if (this.gone) subscriber.complete();
  }

  replay(missed: readonly RecordedEntry[], epoch: string): void {
    this.#sendAll(missed, epoch);
  }

  take(entries: readonly RecordedEntry[], epoch: string): void {
    const own = entries.filter(({ channels }) =>
      channels.some((channel) => this.followed.has(channel)),
    );
    this.#sendAll(own, epoch);
  }

  join(): void {}

  leave(channel: string): void {
    this.followed.delete(channel);
  }

  lose(offset: string): void {
    this.#send({ type: 'gap', id: offset, data: { offset } });
  }

  revoked(channel: string, message: string): void {
    this.#send({ type: 'revoked', data: { channel, message } });
  }

  /**
   * Says where it stands, before anything that came already. That is put in order: what one channel missed came behind what
   * another did, and a client that is cut off in between says only where it was last.
   */
  begin(offset: string, recovered: boolean): void {
    const early = this.#early.sort((a, b) => numberOf(a) - numberOf(b));
    // With an offset, so that a client that is gone before anything came can say it; it must not be ahead of what comes.
    const at = early.length === 0 ? { id: offset } : {};
    this.#early = [{ type: recovered ? 'following' : 'gap', ...at, data: { offset } }, ...early];
  }

  dismiss(notice: ClosedNotice, discard = false): void {
    if (this.gone) return;
    this.#send({ type: 'closed', data: { ...notice } });
    this.end();
    if (discard) this.sink?.destroy();
  }

  end(): void {
    if (this.gone) return;
    this.gone = true;
    this.sink?.off('close', this.#closed);
    this.followed.clear();
    this.#ended();
    this.#subscriber?.complete();
  }

  /** Would be kept open for the next request otherwise, and the server with it. */
  stop(): void {
    this.end();
    // Nest writes the end of the response a moment later.
    setImmediate(() => this.sink?.end());
  }

  #sendAll(entries: readonly RecordedEntry[], epoch: string): void {
    for (const entry of entries) {
      const id = writeOffset(epoch, entry.offset);
      this.#send({ type: 'emission', id, data: itemOf(entry, epoch) as object });
    }
  }

  #send(message: MessageEvent): void {
    if (this.gone) return;
    if (this.#subscriber === undefined) return void this.#early.push(message);
    this.#waiting = this.sink?.writableNeedDrain === true ? this.#waiting + 1 : 0;
    this.#subscriber.next(message);
  }
}

function numberOf({ id = '' }: MessageEvent): number {
  return Number(id.slice(id.lastIndexOf(':') + 1));
}
