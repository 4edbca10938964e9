import type { DeliveryContext, EmissionAdapter } from './adapter.js';
import type { ConsumerOptions } from './consumer.options.js';
import type { Emission } from './emission.js';

/** A call that is told how it ended, in the place of a promise: of each call there would be one to make and one to wait for. */
export interface SingleCall extends DeliveryContext {
  succeeded(): void;
  failed(error: unknown): void;
}

/** A call, or what stands for one until somebody asks for it. */
export interface CallMaker {
  /** 1 for the first. */
  readonly attempt: number;
  /** The call itself; what stands for several makes another one each time. */
  own(): SingleCall;
}

/** Where a handler leaves its unit of work for the next one of the same emission, if both can do with one. */
export interface UnitSlot {
  unit: object | undefined;
}

/** What the pipeline serves with a consumer of its own: an adapter or a handler, with the names it takes. */
export interface Destination {
  readonly kind: 'adapter' | 'handler';
  /** Unique among its kind. */
  readonly name: string;
  readonly adapter: EmissionAdapter;
  /**
   * The same as the adapter's `deliver` for a destination that takes one emission at a time and sees to it itself that each call
   * has an async context of its own. Called in its place where there is one.
   *
   * @param slot when others get the emission too, one after another; the same for each
   * @returns whether the call goes on; when it ends, `call` is told
   * @throws what failed at once
   */
  handle?(emission: Emission, call: SingleCall, slot: UnitSlot | undefined): boolean;
  /** Whether its calls return at once, as far as is known; only of one that has `handlePromptly`. */
  readonly isPrompt?: boolean | undefined;
  /**
   * The same as `handle` for the first call with an emission, while it `isPrompt` and nobody listens: the call is made when somebody
   * asks for it.
   *
   * @returns the call when it goes on after all
   * @throws what failed at once
   */
  handlePromptly?(
    emission: Emission,
    call: CallMaker,
    slot: UnitSlot | undefined,
  ): SingleCall | undefined;
  readonly options: ConsumerOptions;
  /** 0 (first) to 9: who is served first when several wait. */
  readonly priority: number;
  /** Tells by the name alone, asked once per name. */
  matches(name: string): boolean;
  /** The names as one would write them, for lists. */
  readonly pattern: string;
  /** Takes one emission in its life, then leaves. */
  readonly once: boolean;
}
