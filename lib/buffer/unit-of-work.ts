import type { EmissionOrigin } from '../emission/emission.factory.js';
import { InvalidEmissionError } from '../emission/emission.errors.js';
import type { Emission } from '../emission/emission.js';
import { quote } from '../emission/quote.js';
import { snapshot } from '../emission/snapshot.js';
import type { EmissionBuffer } from './emission-buffer.js';

/** What is stamped on every emission of a unit of work, below what `emit` itself says. */
export interface UnitContext {
  /** Fields added to the metadata of every emission. */
  metadata?: Readonly<Record<string, unknown>>;
  /** The tenant of emissions that name none themselves. */
  tenant?: string;
  /** Who emits, for people and traces. */
  source?: string;
  /** Ties the unit to something outside, such as a request id; default: the id of its first emission. */
  correlationId?: string;
}

/** What all emissions of one unit of work have in common; nested runs share it. */
export class UnitOrigin implements EmissionOrigin {
  readonly cause: Emission | undefined;
  correlationId: string | undefined;
  metadata: Readonly<Record<string, unknown>> | undefined;
  tenant: string | undefined;
  source: string | undefined;
  #stamp: (() => UnitContext | undefined) | undefined;

  constructor(cause: Emission | undefined, stamp: (() => UnitContext | undefined) | undefined) {
    this.cause = cause;
    this.#stamp = stamp;
  }

  /** Works the stamp out when the first emission is made: guards have run by then, and most requests never need it. */
  resolve(): this {
    const stamp = this.#stamp;
    if (stamp === undefined) return this;
    const context = stamp() ?? {};
    if (typeof context !== 'object' || context instanceof Promise) {
      throw new InvalidEmissionError(
        `The option context must return { metadata?, tenant?, source?, correlationId? } at once, but it returned ${quote(context)}.`,
      );
    }
    this.#stamp = undefined;
    this.metadata = context.metadata && snapshot(context.metadata, 'context.metadata');
    this.tenant = context.tenant;
    this.source = context.source;
    this.correlationId ??= context.correlationId;
    return this;
  }
}

/** The one thing carried through asynchronous calls: which buffer is active, and what its emissions have in common. */
export interface UnitOfWork {
  readonly origin: UnitOrigin;
  buffer: EmissionBuffer | undefined;
  /** The HTTP request it stands for, when it does. */
  readonly http?: HttpUnit | undefined;
}

/** What a route may change of how the unit of its request ends. */
export interface HttpUnit {
  shouldCommit: (status: number) => boolean;
}
