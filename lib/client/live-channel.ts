import type { Carried, LiveEmission } from './live-emission.js';
import { inOrder, isBehind } from './place.js';

/** `pending`: asked for, or waiting for a connection · `following` · `refused`: not allowed, or no longer · `left`. */
export type ChannelState = 'pending' | 'following' | 'refused' | 'left';

/** Why a channel is not followed. */
export interface ChannelRefusal {
  readonly code: string;
  readonly message: string;
}

/** What a channel does through its client. */
export interface ChannelPort {
  leave(name: string): void;
  failed(error: unknown): void;
}

/** The server's answer to `subscribe`, as far as it is used. */
export type SubscribeAnswer =
  | { ok: true; offset: string; recovered: boolean }
  | { ok: false; error: ChannelRefusal };

/**
 * One channel, followed from when it was asked for until `leave()`, over as many connections as that takes. Each emission comes
 * once, in the server's order.
 */
export class LiveChannel<C extends string = string> {
  #state: ChannelState = 'pending';
  #offset: string | undefined;
  /** Whether it was followed, then refused: what went by meanwhile was not for it. */
  #lapsed = false;
  /** What came while the server had not said yet where the channel stands. */
  #early: LiveEmission[] = [];
  readonly #handlers = new Set<(emission: Carried<C>) => void>();
  readonly #gaps = new Set<() => void>();
  readonly #states = new Set<(state: ChannelState) => void>();
  readonly #refusals = new Set<(refusal: ChannelRefusal) => void>();
  readonly #ready: { promise: Promise<void>; resolve: () => void };
  readonly #port: ChannelPort;

  /** @internal */
  constructor(
    readonly name: C,
    port: ChannelPort,
  ) {
    this.#port = port;
    let resolve: () => void = () => {};
    const promise = new Promise<void>((done) => (resolve = done));
    this.#ready = { promise, resolve };
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** Where the channel has come to: everything up to here has been given to the handlers. `undefined` before the first answer. */
  get offset(): string | undefined {
    return this.#offset;
  }

  /**
   * Resolves when the channel is followed for the first time; from then on nothing goes by unnoticed. Of one that is refused, or closed
   * before, it never does.
   */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Calls the handler with each emission; returns what stops that. One that throws harms no other. */
  on(handler: (emission: Carried<C>) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Calls the listener when something is missing that nobody has any more: read anew what the page shows. */
  onGap(listener: () => void): () => void {
    this.#gaps.add(listener);
    return () => this.#gaps.delete(listener);
  }

  /** Calls the listener when the channel may not be followed, or no longer. */
  onRefused(listener: (refusal: ChannelRefusal) => void): () => void {
    this.#refusals.add(listener);
    return () => this.#refusals.delete(listener);
  }

  /** Calls the listener whenever `state` has changed: to show whether a page is live. */
  onState(listener: (state: ChannelState) => void): () => void {
    this.#states.add(listener);
    return () => this.#states.delete(listener);
  }

  /** Follows it no longer. Asking the client for the channel again begins anew. */
  leave(): void {
    if (this.#state === 'left') return;
    this.#become('left');
    this.#port.leave(this.name);
  }

  /** @internal The connection is new, or gone: what came of a request that was not answered comes again. */
  reset(): void {
    this.#early = [];
    if (this.#state === 'following') this.#become('pending');
  }

  /** @internal It is asked for again. */
  ask(): void {
    if (this.#state !== 'refused') return;
    this.#lapsed = this.#offset !== undefined;
    this.#offset = undefined;
    this.#become('pending');
  }

  /** @internal */
  answered(answer: SubscribeAnswer): void {
    if (this.#state !== 'pending') return;
    const early = this.#early.sort(inOrder);
    this.#early = [];
    if (!answer.ok) return this.refuse(answer.error);
    this.#state = 'following';
    if (!answer.recovered || this.#lapsed) {
      this.#lapsed = false;
      // What another channel brought of this gap would stand there alone.
      this.#offset = answer.offset;
      this.#tell(this.#gaps, undefined);
    }
    for (const emission of early) this.#give(emission);
    this.moved(answer.offset);
    this.#ready.resolve();
    this.#tell(this.#states, 'following');
  }

  /** @internal */
  refuse(refusal: ChannelRefusal): void {
    if (this.#state === 'left') return;
    this.#become('refused');
    this.#tell(this.#refusals, refusal);
  }

  /** @internal */
  lost(offset: string): void {
    if (this.#state !== 'following') return;
    this.#offset = offset;
    this.#tell(this.#gaps, undefined);
  }

  /** @internal */
  take(emission: LiveEmission): void {
    if (this.#state === 'following') this.#give(emission);
    else if (this.#state === 'pending') this.#early.push(emission);
  }

  /** @internal Whatever came, on this channel or another: nothing of this one was before it that has not come. */
  moved(offset: string): void {
    if (this.#state === 'following' && isBehind(offset, this.#offset)) this.#offset = offset;
  }

  #become(state: ChannelState): void {
    this.#state = state;
    this.#tell(this.#states, state);
  }

  #give(emission: LiveEmission): void {
    if (!isBehind(emission.offset, this.#offset)) return;
    this.#offset = emission.offset;
    this.#tell(this.#handlers, emission as Carried<C>);
  }

  #tell<T>(listeners: Iterable<(value: T) => void>, value: T): void {
    for (const listener of [...listeners]) {
      try {
        listener(value);
      } catch (error) {
        this.#port.failed(error);
      }
    }
  }
}
