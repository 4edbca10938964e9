import { isDeepStrictEqual } from 'node:util';
import { Pattern, type EmissionPattern } from './emission/pattern.js';
import { ConfigurationError, PatternError } from './emission/emission.errors.js';
import { quote } from './emission/quote.js';
import { Handler, type EmissionHandler, type HandlerHost } from './handlers/handler.js';
import type { HandlerInvoker } from './handlers/handler.invoker.js';
import {
  isHandlerId,
  resolveHandlerOptions,
  type HandlerOptions,
} from './handlers/handler.options.js';
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

/** A function at work, with the options as they were given. */
interface Subscribed {
  readonly method: EmissionHandler<never>;
  readonly options: HandlerOptions;
}

/** Puts handlers to work: those found at start-up and those subscribed at run time. */
export class Subscriptions {
  readonly #subscribed = new Map<Handler, Subscribed>();
  readonly #patterns = new WeakMap<Handler, Pattern>();
  #count = 0;

  constructor(
    private readonly registry: HandlerRegistry,
    private readonly invoker: HandlerInvoker,
    private readonly pipeline: Pipeline,
    private readonly defaults: PipelineOptions,
  ) {
    pipeline.onRetired((destination) => {
      if (destination instanceof Handler) this.#forget(destination);
    });
  }

  /** @throws ConfigurationError, PatternError or DuplicateHandlerError when the handler cannot be put to work */
  add(id: string, pattern: EmissionPattern, options: HandlerOptions, host: HandlerHost): Handler {
    const resolved = resolveHandlerOptions(options, this.defaults, `The handler ${id}`);
    const compiled = patternOf(id, pattern);
    const handler = new Handler(id, pattern, resolved, host, this.invoker);
    this.registry.add(handler);
    this.#patterns.set(handler, compiled);
    if (resolved.durable) refuseBuiltAnew(handler);
    // Critical handlers run inside the commit, what durable ones take is stored: they have no queue.
    else if (!resolved.critical) this.pipeline.add(handler);
    return handler;
  }

  /**
   * The same function again takes the new pattern in place of the old one; with an id of its own it is a subscription of its
   * own.
   *
   * @throws ConfigurationError when it is at work with other options
   */
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
    if (options?.durable === true) {
      throw new ConfigurationError(
        `subscribe(${quote(pattern)}) cannot be durable: what is stored for it would wait for a function that no other process, and ` +
          `no later one, has. Make it a method of a provider: @OnEmission(…, { durable: true }).`,
      );
    }
    const known = this.#known(method, options?.id);
    if (known !== undefined) {
      this.#refuseOtherOptions(known, options);
      const compiled = patternOf(known.name, pattern);
      known.follow(pattern);
      this.#patterns.set(known, compiled);
      this.pipeline.refresh();
      return this.#subscription(known);
    }
    const named = method.name === '' ? 'subscription' : method.name;
    const id = isHandlerId(options?.id) ? options.id : `${named}#${++this.#count}`;
    const handler = this.add(id, pattern, options, {
      describe: `subscribe(${quote(pattern)})`,
      bound: { handle: method },
    });
    this.#subscribed.set(handler, { method, options });
    return this.#subscription(handler);
  }

  /** All handlers, or those that take a name, in the order they were found and subscribed. */
  subscribers(name?: string): Subscriber[] {
    const handlers = name === undefined ? this.registry.all() : this.registry.of(name);
    return handlers.map(({ name: id, pattern }) => ({ id, pattern }));
  }

  /**
   * Whether a handler, given by its function or id, is at work, and, when a pattern is given, for just that.
   *
   * @throws PatternError when the pattern is none
   */
  isSubscribed(handler: EmissionHandler<never> | string, pattern?: EmissionPattern): boolean {
    const wanted = pattern === undefined ? undefined : new Pattern(pattern);
    const found = typeof handler === 'string' ? [this.registry.get(handler)] : this.#of(handler);
    return found.some(
      (each) =>
        each !== undefined &&
        (wanted === undefined || this.#patterns.get(each)?.equals(wanted) === true),
    );
  }

  #of(method: EmissionHandler<never>): Handler[] {
    return [...this.#subscribed].filter(([, each]) => each.method === method).map(([each]) => each);
  }

  /** The subscription of a function that is meant: the one of that id, or, without one, the first. */
  #known(method: EmissionHandler<never>, id: string | undefined): Handler | undefined {
    return this.#of(method).find(({ name }) => id === undefined || name === id);
  }

  #refuseOtherOptions(known: Handler, options: HandlerOptions): void {
    const { id: _, ...given } = options ?? {};
    const { id: __, ...had } = this.#subscribed.get(known)!.options;
    if (Object.keys(given).length === 0 || isDeepStrictEqual(given, had)) return;
    throw new ConfigurationError(
      `${known.name} is subscribed already, with other options. Unsubscribe it first, or make this a subscription of its own: ` +
        `subscribe(pattern, handler, { id: '…', … }).`,
    );
  }

  #subscription(handler: Handler): Subscription {
    return {
      id: handler.name,
      get pattern() {
        return handler.pattern;
      },
      unsubscribe: () => {
        this.#forget(handler);
        void this.pipeline.withdraw(handler);
      },
    };
  }

  #forget(handler: Handler): void {
    this.#subscribed.delete(handler);
    this.registry.remove(handler);
  }
}

/** @throws PatternError naming the handler */
function patternOf(id: string, pattern: EmissionPattern): Pattern {
  try {
    return new Pattern(pattern);
  } catch (error) {
    throw error instanceof PatternError ? error.of(`the handler ${id}`) : error;
  }
}

/** Nothing of the request that emitted is there any more when a delivery is worked off. */
function refuseBuiltAnew({ name, host }: Handler): void {
  if (host.build === undefined) return;
  throw new ConfigurationError(
    `The handler ${name} is durable, and its host ${host.describe} is request-scoped, or injects something that is. Give it a host ` +
      `that is not: what it needs to know of the request goes into the emission.`,
  );
}
