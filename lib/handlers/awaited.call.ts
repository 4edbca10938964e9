import type { Transact } from '../emission/transaction-source.js';
import type { HandlerCall, ToldCall } from './handler.call.js';

/** A call whose maker waits for a promise: it is told of its end as those of the pipeline are, and passes that on. */
export class AwaitedCall implements ToldCall {
  readonly #call: HandlerCall;
  #end: PromiseWithResolvers<void> | undefined;

  constructor(call: HandlerCall) {
    this.#call = call;
  }

  own(): this {
    return this;
  }

  get attempt(): number {
    return this.#call.attempt;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get consumer(): string {
    return this.#call.consumer;
  }

  get aborted(): boolean {
    return this.#call.aborted === true;
  }

  get durationMs(): number {
    return this.#call.durationMs ?? 0;
  }

  get deliveryId(): string | undefined {
    return this.#call.deliveryId;
  }

  get transact(): Transact | undefined {
    return this.#call.transact;
  }

  succeeded(): void {
    this.#end!.resolve();
  }

  failed(error: unknown): void {
    this.#end!.reject(error);
  }

  /** It goes on: resolves or rejects when it has ended. */
  ended(): Promise<void> {
    this.#end = Promise.withResolvers();
    return this.#end.promise;
  }
}
