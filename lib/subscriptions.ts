import type { EmissionPattern } from './emission/pattern.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { quote } from './emission/quote.js';
import { Handler, type EmissionHandler, type HandlerHost } from './handlers/handler.js';
import type { HandlerInvoker } from './handlers/handler.invoker.js';
import { resolveHandlerOptions, type HandlerOptions } from './handlers/handler.options.js';
import type { HandlerRegistry } from './handlers/handler.registry.js';
import type { Pipeline } from './pipeline/pipeline.js';
import type { PipelineOptions } from './pipeline/pipeline.options.js';

/** A handler that was subscribed at run time. */
export interface Subscription {
  readonly id: string;
  /** The pattern as one would write it. */
  readonly pattern: string;
  /** The handler gets nothing further; what is queued for it is dropped and signalled. Harmless the second time. */
  unsubscribe(): void;
}

/** Who consumes what: a handler, found or subscribed. */
export interface Subscriber {
  readonly id: string;
  readonly pattern: string;
}

/** Puts handlers to work: those found at start-up and those subscribed at run time. */
export class Subscriptions {
  readonly #handlersOf = new Map<EmissionHandler<never>, Handler>();
  #count = 0;

  constructor(
    private readonly registry: HandlerRegistry,
    private readonly invoker: HandlerInvoker,
    private readonly pipeline: Pipeline,
    private readonly defaults: PipelineOptions,
  ) {
    pipeline.onRetired((destination) => {
      const handler = this.registry.get(destination.name);
      if (handler !== undefined && destination.kind === 'handler') this.#forget(handler);
    });
  }

  /** @throws ConfigurationError, PatternError or DuplicateHandlerError when the handler cannot be put to work */
  add(id: string, pattern: EmissionPattern, options: HandlerOptions, host: HandlerHost): Handler {
    const resolved = resolveHandlerOptions(options, this.defaults, `The handler ${id}`);
    const handler = new Handler(id, pattern, resolved, host, (...call) =>
      this.invoker.invoke(...call),
    );
    this.registry.add(handler);
    // Critical handlers run inside the commit: they have no queue.
    if (!resolved.critical) this.pipeline.add(handler);
    return handler;
  }

  /** The same function again takes the new pattern in place of the old one. */
  subscribe(
    pattern: EmissionPattern,
    method: EmissionHandler<never>,
    options: HandlerOptions,
  ): Subscription {
    if (typeof method !== 'function') {
      throw new ConfigurationError(
        `subscribe takes a pattern and a function, but got ${quote(method)}.`,
      );
    }
    const known = this.#handlersOf.get(method);
    if (known !== undefined && this.registry.get(known.name) === known) {
      known.follow(pattern);
      this.pipeline.refresh();
      return this.#subscription(known, method);
    }
    const named = method.name === '' ? 'subscription' : method.name;
    const id = options.id ?? `${named}#${++this.#count}`;
    const handler = this.add(id, pattern, options, {
      describe: `subscribe(${quote(pattern)})`,
      resolve: () => method,
    });
    this.#handlersOf.set(method, handler);
    return this.#subscription(handler, method);
  }

  /** All handlers, or those that take a name, in the order they were found and subscribed. */
  subscribers(name?: string): Subscriber[] {
    const handlers = name === undefined ? this.registry.all() : this.registry.of(name);
    return handlers.map(({ name: id, pattern }) => ({ id, pattern }));
  }

  /** Whether a handler, given by its function or id, is at work, and, when a pattern is given, takes just that. */
  isSubscribed(handler: EmissionHandler<never> | string, pattern?: string): boolean {
    const found =
      typeof handler === 'string' ? this.registry.get(handler) : this.#handlersOf.get(handler);
    if (found === undefined || this.registry.get(found.name) !== found) return false;
    return pattern === undefined || found.pattern === pattern;
  }

  #subscription(handler: Handler, method: EmissionHandler<never>): Subscription {
    return {
      id: handler.name,
      get pattern() {
        return handler.pattern;
      },
      unsubscribe: () => {
        if (!this.registry.remove(handler)) return;
        this.#handlersOf.delete(method);
        void this.pipeline.remove('handler', handler.name);
      },
    };
  }

  #forget(handler: Handler): void {
    this.registry.remove(handler);
    for (const [method, known] of this.#handlersOf)
      if (known === handler) this.#handlersOf.delete(method);
  }
}
