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
  /** Ties the unit to something outside, such as a request id; default: that of the cause, or the id of its first emission. */
  correlationId?: string;
}

/**
 * What all emissions of one unit of work have in common. A nested run shares it or, with a context of its own, has one that
 * adds to it: the correlation id stays that of the whole unit, unless the context says another.
 */
export class UnitOrigin implements EmissionOrigin {
  readonly cause: Emission | undefined;
  correlationId: string | undefined;
  metadata: Readonly<Record<string, unknown>> | undefined = undefined;
  tenant: string | undefined = undefined;
  source: string | undefined = undefined;
  private stamp: (() => UnitContext | undefined) | undefined;
  private readonly around: UnitOrigin | undefined;

  constructor(
    cause: Emission | undefined,
    stamp: (() => UnitContext | undefined) | undefined,
    around?: UnitOrigin,
  ) {
    this.cause = cause;
    // What is around it, or its context, may say another.
    this.correlationId = around === undefined ? cause?.correlationId : undefined;
    this.stamp = stamp;
    this.around = around;
  }

  /** That of a unit within no other. */
  static of(context: UnitContext | undefined): UnitOrigin {
    return new UnitOrigin(undefined, context === undefined ? undefined : stampOf(context));
  }

  /** The origin of a nested run that says more. */
  within(context: UnitContext): UnitOrigin {
    return new UnitOrigin(this.cause, stampOf(context), this);
  }

  /**
   * Works the stamp out when the first emission is made: guards have run by then, and most requests never need it.
   *
   * @throws InvalidEmissionError when it is none
   */
  resolve(): this {
    if (this.stamp !== undefined) this.apply(this.stamp());
    if (this.around !== undefined) this.correlationId ??= this.around.resolve().correlationId;
    return this;
  }

  /** The first emission of a unit gives it its correlation id. */
  begun(id: string): void {
    if (this.correlationId !== undefined) return;
    this.correlationId = id;
    this.around?.begun(id);
  }

  private apply(context: UnitContext | undefined): void {
    const { metadata, ...said } = checked(context);
    const around = this.around?.resolve();
    const stamped = metadata && snapshot(metadata, 'context.metadata');
    this.metadata =
      stamped && around?.metadata
        ? Object.freeze({ ...around.metadata, ...stamped })
        : (stamped ?? around?.metadata);
    this.tenant = textOf(said, 'tenant') ?? around?.tenant;
    this.source = textOf(said, 'source') ?? around?.source;
    this.correlationId ??= textOf(said, 'correlationId');
    this.stamp = undefined;
  }
}

function stampOf(context: UnitContext): () => UnitContext {
  return () => context;
}

const FIELDS: readonly string[] = ['correlationId', 'metadata', 'source', 'tenant'];

function checked(context: UnitContext | null | undefined): UnitContext {
  if (context === undefined || context === null) return {};
  const metadata: unknown = context.metadata ?? {};
  const isContext = typeof context === 'object' && !('then' in context);
  if (isContext && typeof metadata === 'object' && !Array.isArray(metadata)) {
    // An object of something else, such as an emission, may have more fields than these.
    const fields = Object.keys(context);
    if (fields.length === 0 || FIELDS.some((field) => field in context)) return context;
    throw new InvalidEmissionError(
      `What run() or the option context stamps on emissions has no "${fields[0]}". It has: ${FIELDS.join(', ')}; what else is to be said ` +
        `of them goes into metadata.`,
    );
  }
  throw new InvalidEmissionError(
    `What run() or the option context stamps on emissions is { metadata?, tenant?, source?, correlationId? }, at once, but got ` +
      `${quote(context)}.`,
  );
}

/** Nothing said, said empty, or an id that is a number: as the tenant is read from metadata. */
function textOf(context: UnitContext, field: keyof UnitContext): string | undefined {
  const said: unknown = context[field];
  if (said === undefined || said === null || said === '') return undefined;
  if (typeof said === 'string') return said;
  if (typeof said === 'number' || typeof said === 'bigint') return String(said);
  throw new InvalidEmissionError(
    `The ${field} that run() or the option context stamps on emissions is a string, but got ${quote(said)}.`,
  );
}

/** The one thing carried through asynchronous calls: which buffer is active, and what its emissions have in common. */
export interface UnitOfWork {
  readonly origin: UnitOrigin;
  buffer: EmissionBuffer | undefined;
  /** The HTTP request it stands for, when it does. */
  readonly http?: HttpUnit | undefined;
  /** The transaction it is in, of those that can be left for a while. */
  readonly transaction?: Suspendable | undefined;
}

/** A transaction that code which runs in it can leave for a while. */
export interface Suspendable {
  /** Whether the code that asks has left it. */
  isSuspended(): boolean;
  /** The unit of work that it was opened in, and that such code is in. */
  readonly around: UnitOfWork | undefined;
}

/** What a route may change of how the unit of its request ends. */
export interface HttpUnit {
  shouldCommit: (status: number) => boolean;
  /** Sees to it that the buffer ends with the response; called when there is one. */
  watch(): void;
}
