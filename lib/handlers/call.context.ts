import type { TransactionSource } from '../emission/transaction-source.js';
import type { Handler, HandlerContext } from './handler.js';
import type { CallSource, ToldCall } from './handler.call.js';

/** What a handler sees of the call it runs in: it can be frozen, copied and logged, and nothing comes of it. */
export class CallContext implements HandlerContext {
  static {
    // Nor does anything come of what is done to what all of them have in common, and no way leads from there to the inside.
    Object.defineProperty(this.prototype, 'constructor', { value: Object });
    Object.freeze(this.prototype);
  }

  /** What is known of the call; of one that goes on it is the call itself. */
  static callOf(context: CallContext): CallSource {
    return context.#call;
  }

  /** The call itself, which is made if nobody has asked for it before. */
  static ownCallOf(context: CallContext): ToldCall {
    const call = context.#call.own();
    context.#call = call;
    return call;
  }

  static handlerOf(context: CallContext): Handler {
    return context.#handler;
  }

  #call: CallSource;
  readonly #handler: Handler;

  constructor(call: CallSource, handler: Handler) {
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
    return CallContext.ownCallOf(this).signal;
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
