import type { DeliveryContext } from '../emission/adapter.js';
import type { CallMaker, SingleCall } from '../emission/destination.js';
import type { Transact } from '../emission/transaction-source.js';

/** A call as whoever makes it knows it; what that does not say, it does not know. */
export interface HandlerCall extends DeliveryContext {
  /** Whether the call was given up (it took too long, the application closed): what it still does no longer counts. */
  readonly aborted?: boolean;
  /** How long ago it began, in milliseconds. */
  readonly durationMs?: number;
  /** What names it among all that are stored; a durable handler's. */
  readonly deliveryId?: string | undefined;
  /** Runs work in a transaction that is part of the call. */
  readonly transact?: Transact | undefined;
}

/** What a handler's context knows of its call before anybody asks for the call itself. */
export interface CallSource extends CallMaker, Omit<HandlerCall, keyof DeliveryContext> {
  own(): ToldCall;
  /** Told that the handler returned `IGNORED`. */
  ignored?(): void;
}

/** A call that is told when it has ended. */
export interface ToldCall extends HandlerCall, SingleCall, CallSource {
  own(): this;
}
