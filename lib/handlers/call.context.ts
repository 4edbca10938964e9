import type { TransactionSource } from '../emission/transaction-source.js';
import type { Handler, HandlerContext } from './handler.js';
import type { ToldCall } from './handler.call.js';

/** What a handler sees of the call it runs in: it can be frozen, copied and logged, and nothing comes of it. */
export class CallContext implements HandlerContext {
  static {
    // Nor does anything come of what is done to what all of them have in common, and no way leads from there to the inside.
    Object.defineProperty(this.prototype, 'constructor', { value: Object });
    Object.freeze(this.prototype);
  }

  static callOf(context: CallContext): ToldCall {
    return context.#call;
  }

  static handlerOf(context: CallContext): Handler {
    return context.#handler;
  }

  readonly #call: ToldCall;
  readonly #handler: Handler;

  constructor(call: ToldCall, handler: Handler) {
    this.#call = call;
    this.#handler = handler;
  }

  get handlerId(): string {
    return this.#handler.name;
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

  transaction<Tx, T>(
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
  ): Promise<T> {
    return (this.#call.transact ?? this.#handler.transact)(source, work);
  }
}
