import { Inject, Injectable, Logger } from '@nestjs/common';
import { BufferContext } from './buffer/buffer.context.js';
import { BufferClosedError, BufferNotStartedError } from './buffer/buffer.errors.js';
import type { UnitOfWork } from './buffer/unit-of-work.js';
import { assertName } from './emission/emission-name.js';
import {
  EmissionFactory,
  type EmissionOrigin,
  type EmitOptions,
} from './emission/emission.factory.js';
import type { Emission } from './emission/emission.js';
import { EMISSIONS_OPTIONS, type ResolvedEmissionsOptions } from './emissions.options.js';
import { CascadeGuard } from './handlers/cascade.guard.js';
import { PipelineClosedError } from './pipeline/pipeline.errors.js';
import { Pipeline } from './pipeline/pipeline.js';
import type { EmissionDropped } from './telemetry/channels.js';
import { signal } from './telemetry/signal.js';
import { isThrown, loggable } from './emission/thrown.js';

const REMEMBERED_NAMES = 10_000;

/** Makes emissions and puts them into the active buffer, or does with them what the option `unbuffered` says. */
@Injectable()
export class Emitter {
  readonly #logger = new Logger('Emissions');
  readonly #warned = new Set<string>();

  constructor(
    private readonly buffers: BufferContext,
    private readonly factory: EmissionFactory,
    private readonly guard: CascadeGuard,
    private readonly pipeline: Pipeline,
    @Inject(EMISSIONS_OPTIONS) private readonly options: ResolvedEmissionsOptions,
  ) {}

  /**
   * As `Emissions.emit`.
   *
   * @param initializedAt when the work began that is reported
   */
  emit(
    name: string,
    payload: unknown,
    metadata: Readonly<Record<string, unknown>> | undefined,
    options: EmitOptions | undefined,
    initializedAt?: number,
  ): Emission | undefined {
    const unit = this.buffers.current();
    const buffer = unit?.buffer;
    if (unit === undefined || buffer === undefined || !buffer.isOpen)
      return this.#emitUnbuffered(name, payload, metadata, options, unit, initializedAt);
    const emission = this.#create(name, payload, metadata, options, unit, initializedAt);
    buffer.add(emission);
    return emission;
  }

  #create(
    name: string,
    payload: unknown,
    metadata: Readonly<Record<string, unknown>> | undefined,
    options: EmitOptions | undefined,
    { origin: ofUnit }: UnitOfWork,
    initializedAt: number | undefined,
  ): Emission {
    const shared = ofUnit.resolve();
    const origin = initializedAt === undefined ? shared : reported(shared, initializedAt);
    const emission = this.factory.create(name, payload, metadata, options, origin);
    shared.begun(emission.id);
    if (shared.cause !== undefined) this.guard.check(emission, shared.cause, options);
    return emission;
  }

  #emitUnbuffered(
    name: string,
    payload: unknown,
    metadata: Readonly<Record<string, unknown>> | undefined,
    options: EmitOptions | undefined,
    unit: UnitOfWork | undefined,
    initializedAt: number | undefined,
  ): Emission | undefined {
    assertName(name);
    const buffer = unit?.buffer;
    // What was emitted after a unit of work failed must not leave, and one that is being committed may still fail.
    if (this.options.unbuffered === 'deliver' && (buffer === undefined || buffer.isDelivered)) {
      const emission =
        unit === undefined
          ? this.factory.create(name, payload, metadata, options, { initializedAt })
          : this.#create(name, payload, metadata, options, unit, initializedAt);
      this.#deliverNow(emission);
      return emission;
    }
    this.#drop(name, buffer === undefined ? 'unbuffered' : 'buffer-closed');
    if (this.options.unbuffered !== 'throw') return undefined;
    throw buffer === undefined
      ? new BufferNotStartedError(`emit('${name}')`)
      : new BufferClosedError(name, buffer.state);
  }

  #deliverNow(emission: Emission): void {
    let waiting: void | Promise<void>;
    try {
      waiting = this.pipeline.offer([emission]);
    } catch (error) {
      signalDropped(emission.name, reasonOf(error));
      throw error;
    }
    waiting?.catch((error: unknown) => {
      signalDropped(emission.name, reasonOf(error));
      this.#logger.error(
        `'${emission.name}' was emitted without a buffer and could not be handed over.`,
        loggable(error),
      );
    });
  }

  #drop(name: string, reason: EmissionDropped['reason']): void {
    signalDropped(name, reason);
    // What is thrown says it already.
    if (this.options.unbuffered === 'throw') return;
    const known = `${reason}:${name}`;
    if (this.#warned.has(known) || this.#warned.size >= REMEMBERED_NAMES) return;
    this.#warned.add(known);
    this.#logger.warn(
      reason === 'buffer-closed'
        ? `'${name}' was emitted after its unit of work had ended, and was dropped: await what emits, or give it a run() of its own.`
        : `'${name}' was emitted while no buffer was active, and was dropped: put EmissionsInterceptor on the route (read-only ` +
            `methods need @Buffered() too), wrap the work in emissions.run(), or set the option unbuffered: 'deliver'. Said once per name.`,
    );
  }
}

function signalDropped(emission: string, reason: EmissionDropped['reason']): void {
  signal('emissions:emission:dropped', () => ({ reason, emission, count: 1 }));
}

/** Why what was emitted without a buffer was not handed over. */
function reasonOf(error: unknown): EmissionDropped['reason'] {
  return isThrown(error, PipelineClosedError) ? 'shutdown' : 'overflow';
}

/** What an emission that reports work takes over from its unit. */
function reported(origin: EmissionOrigin, initializedAt: number): EmissionOrigin {
  return Object.assign({}, origin, { initializedAt });
}
