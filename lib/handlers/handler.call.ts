import type { DeliveryContext } from '../emission/adapter.js';
import type { Transact, TransactionSource } from '../emission/transaction-source.js';
import type { Handler, HandlerContext } from './handler.js';

/** A call of a handler: what the handler sees of it, and who is told what becomes of it. The pipeline's are attempts. */
export interface HandlerCall extends HandlerContext {
  readonly destination: Handler;
  /** Whether it was given up (it took too long, the application closed): what it still does no longer counts. */
  readonly aborted: boolean;
  /** How long ago it began, in milliseconds. */
  readonly durationMs: number;
  /** Said when the handler returned `IGNORED`. */
  isIgnored: boolean;
  /** Told of one that went on. */
  succeeded(): void;
  failed(error: unknown): void;
}

/** A call as whoever makes it knows it; what that does not say, it does not know. */
export interface GivenCall extends DeliveryContext {
  /** Whether the call was given up (it took too long, the application closed): what it still does no longer counts. */
  readonly aborted?: boolean;
  /** How long ago it began, in milliseconds. */
  readonly durationMs?: number;
  /** What names it among all that are stored; a durable handler's. */
  readonly deliveryId?: string;
  /** Runs work in a transaction that is part of the call. */
  readonly transact?: Transact;
  /** Told that the handler returned `IGNORED`. */
  isIgnored?: boolean;
}

/** A call that somebody else makes, who waits for a promise. */
export class ReportedCall implements HandlerCall {
  readonly destination: Handler;
  readonly #call: GivenCall;
  readonly #transact: Transact;
  #waiting: { succeeded: () => void; failed: (error: unknown) => void } | undefined;

  constructor(handler: Handler, call: GivenCall, transact: Transact) {
    this.destination = handler;
    this.#call = call;
    this.#transact = transact;
  }

  get handlerId(): string {
    return this.destination.name;
  }

  get attempt(): number {
    return this.#call.attempt;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get deliveryId(): string | undefined {
    return this.#call.deliveryId;
  }

  get aborted(): boolean {
    return this.#call.aborted === true;
  }

  get durationMs(): number {
    return this.#call.durationMs ?? 0;
  }

  get isIgnored(): boolean {
    return this.#call.isIgnored === true;
  }

  set isIgnored(isIgnored: boolean) {
    this.#call.isIgnored = isIgnored;
  }

  transaction<Tx, T>(
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
  ): Promise<T> {
    return (this.#call.transact ?? this.#transact)(source, work);
  }

  /** Resolves or rejects as a call that goes on ends. */
  ended(): Promise<void> {
    return new Promise((succeeded, failed) => (this.#waiting = { succeeded, failed }));
  }

  succeeded(): void {
    this.#waiting?.succeeded();
  }

  failed(error: unknown): void {
    this.#waiting?.failed(error);
  }
}
