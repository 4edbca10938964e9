import { context, diag, SpanStatusCode, type Context, type Span } from '@opentelemetry/api';
import { PartialDeliveryError } from '../../emission/emission.errors.js';
import { isThenable } from '../../emission/is-thenable.js';
import { isIgnored } from '../../handlers/ignored.js';

/** A span around work: active in it, and ended when it has settled, or is given up by its signal before. */
export class ActiveSpan {
  readonly #span: Span;
  readonly #signal: (() => AbortSignal) | undefined;
  #watched: AbortSignal | undefined;

  /** @param signal tells that nobody waits for the work any more; asked for when there is something to wait for */
  constructor(span: Span, signal?: () => AbortSignal) {
    this.#span = span;
    this.#signal = signal;
  }

  /** Gives back, or throws, what the work does. */
  run<T>(around: Context, work: () => T): T {
    try {
      const result = context.with(around, () => {
        const returned = work();
        // Some begin when they are waited for, and do it again each time: they are waited for once, and in this context.
        return isThenable(returned) ? this.#follow(returned) : returned;
      });
      if (!(result instanceof Promise)) this.#end(result);
      return result as T;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #follow(pending: PromiseLike<unknown>): Promise<unknown> {
    this.#watch();
    return Promise.resolve(pending).then(
      (value) => {
        this.#end(value);
        return value;
      },
      (error: unknown) => {
        this.#fail(error);
        throw error;
      },
    );
  }

  #watch(): void {
    this.#watched = this.#signal?.();
    this.#watched?.addEventListener('abort', this.#givenUp, { once: true });
  }

  readonly #givenUp = (): void => this.#fail(this.#watched?.reason);

  #end(result?: unknown): void {
    this.#watched?.removeEventListener('abort', this.#givenUp);
    if (!this.#span.isRecording()) return;
    if (isIgnored(result)) this.#span.setAttribute('emissions.ignored', true);
    try {
      this.#span.end();
    } catch (error) {
      diag.error('A span could not be ended.', error);
    }
  }

  #fail(error: unknown): void {
    if (this.#span.isRecording()) record(this.#span, error);
    this.#end();
  }
}

/** Anything can be thrown, also what cannot be looked at. */
function record(span: Span, error: unknown): void {
  try {
    const { name, message } = Object(error) as Partial<Error>;
    const text = error instanceof Error ? String(message) : String(error);
    span.setStatus({ code: SpanStatusCode.ERROR, message: text });
    span.setAttribute('error.type', typeof name === 'string' ? name : typeof error);
    if (error instanceof PartialDeliveryError)
      span.setAttribute('emissions.failed', error.failed.length);
    span.recordException(error instanceof Error ? error : text);
  } catch {
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
}
