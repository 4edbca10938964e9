import { Logger } from '@nestjs/common';
import type { Destination } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import { quote } from '../emission/quote.js';
import type { Ledger } from './ledger.js';
import type { AdapterFailed, EmissionDropped } from '../telemetry/channels.js';
import {
  adaptersAreHeard,
  handlersAreHeard,
  sheddingIsHeard,
  signal,
} from '../telemetry/signal.js';
import { stackOf } from '../emission/thrown.js';

/** How long a call has taken, and which it was. */
export interface Timed {
  readonly durationMs: number;
  readonly attempt: number;
}

/** What was called for. */
export interface Made {
  readonly batch: readonly Emission[];
  readonly attempt: number;
}

/** Whether a handler returned that the emission does not concern it. */
export interface Ended {
  readonly isIgnored: boolean;
}

/** The call, as it were, of somebody who was only asked. */
export const ASKED: Timed = Object.freeze({ durationMs: 0, attempt: 1 });

/** Says what became of a consumer's emissions: in signals, in the ledger, and, when something was given up, in the log. */
export class ConsumerReport {
  readonly #logger = new Logger('Emissions');
  readonly #destination: Destination;
  readonly #ledger: Ledger | undefined;
  readonly #isOfHandler: boolean;
  #failures = 0;
  /** Whether anybody hears how long calls take. */
  readonly isHeard: () => boolean;
  /** Whether anybody wants to know of calls that return at once: those, or who asks what became of emissions. */
  readonly isWatched: () => boolean;

  constructor(destination: Destination, ledger: Ledger | undefined) {
    this.#destination = destination;
    this.#isOfHandler = destination.kind === 'handler';
    this.isHeard = this.#isOfHandler ? handlersAreHeard : adaptersAreHeard;
    this.#ledger = ledger;
    this.isWatched = ledger === undefined ? this.isHeard : () => true;
  }

  /** How many calls have failed since the last that did not. */
  get failures(): number {
    return this.#failures;
  }

  began(call: Made): void {
    if (this.#ledger !== undefined) this.#noteBegan(this.#ledger, call);
  }

  #noteBegan(ledger: Ledger, { batch, attempt }: Made): void {
    ledger.began(this.#destination, batch, attempt);
  }

  /** A call returned at once, and nobody else wants to know. */
  returned(): void {
    this.#failures = 0;
  }

  /** What `began` and `delivered` say of one emission that was handled at once; mostly there is nothing to say. */
  handled(emission: Emission, call: Timed & Ended): void {
    this.#failures = 0;
    if (this.#ledger !== undefined) this.#noteHandled(this.#ledger, emission, call);
  }

  #noteHandled(ledger: Ledger, emission: Emission, call: Timed & Ended): void {
    ledger.began(this.#destination, [emission], 1);
    this.#ended([emission], call);
  }

  /**
   * A call has ended, which delivered all of its batch, or those given. Handlers signal their own success: only they know whether an
   * emission was handled or ignored.
   */
  delivered(call: Made & Timed & Ended, emissions?: readonly Emission[]): void {
    this.#failures = 0;
    if (this.#ledger !== undefined || !this.#isOfHandler)
      this.#sayDelivered(emissions ?? call.batch, call);
  }

  #sayDelivered(emissions: readonly Emission[], call: Timed & Ended): void {
    if (this.#ledger !== undefined) this.#ended(emissions, call);
    if (!this.#isOfHandler) this.#signalDelivered(emissions, call);
  }

  #signalDelivered(emissions: readonly Emission[], call: Timed): void {
    const { name } = this.#destination;
    const count = emissions.length;
    signal('emissions:adapter:delivered', () => {
      const { durationMs, attempt } = call;
      return { adapter: name, emission: emissions[0]!.name, count, durationMs, attempt };
    });
  }

  retried(failed: readonly Emission[], error: unknown, call: Timed, delayMs: number): void {
    this.#failures++;
    this.#ledger?.failing(this.#destination, failed, error);
    const { kind, name } = this.#destination;
    const message = (): Failure & { delayMs: number } => ({
      ...describe('deliver', failed, error, call),
      delayMs,
    });
    if (kind === 'adapter')
      signal('emissions:adapter:retried', () => ({ adapter: name, ...message() }));
    else signal('emissions:handler:retried', () => ({ handler: name, ...message() }));
  }

  failed(
    phase: 'interested' | 'deliver',
    failed: readonly Emission[],
    error: unknown,
    call: Timed,
  ): void {
    this.#failures++;
    this.#ledger?.ended(this.#destination, failed, 'failed', error);
    const { kind, name } = this.#destination;
    const message = describe(phase, failed, error, call);
    this.#signalFailed(message);
    const what = phase === 'interested' ? 'could not tell whether it wants' : 'failed on';
    this.#log(
      `The ${kind} ${name} ${what} ${count(failed.length)} ('${message.emission}'), attempt ${call.attempt}: ${messageOf(error)}`,
      stackOf(error),
    );
  }

  /** A pattern could not answer for a name. */
  unmatchable(emission: string, error: unknown): void {
    const { kind, name } = this.#destination;
    this.#signalFailed({ phase: 'interested', emission, count: 1, ...ASKED, error });
    this.#log(`The ${kind} ${name} does not take '${emission}': ${messageOf(error)}`);
  }

  /** The application's logger may fail; what is logged was signalled, and the consumer goes on. */
  #log(message: string, stack?: string): void {
    try {
      this.#logger.error(message, stack);
    } catch {
      // There is nowhere left to say so.
    }
  }

  skipped(emission: Emission): void {
    this.#ledger?.ended(this.#destination, [emission], 'skipped');
  }

  expired(emission: Emission): void {
    this.#ledger?.ended(this.#destination, [emission], 'expired');
    signal('emissions:emission:expired', () => ({
      emission: emission.name,
      count: 1,
      consumer: this.#destination.name,
    }));
  }

  /** A full queue gave up an emission for another; how many these were is signalled at once, by `overflowed`. */
  shed(emission: Emission): void {
    this.#ledger?.ended(this.#destination, [emission], 'dropped');
  }

  /** The consumer gave up what it had: it is removed, or the application closes. */
  left(reason: 'removed' | 'shutdown', howMany: number, first: Emission | undefined): void {
    this.#ledger?.left(this.#destination, reason);
    if (howMany > 0) this.#dropped(reason, howMany, first);
  }

  /** A stuck consumer sheds all the time: nothing is put together when nobody listens. */
  overflowed(count: number, first: Emission): void {
    if (!sheddingIsHeard()) return;
    const { name: consumer, options } = this.#destination;
    const { overflow: policy, capacity } = options;
    signal('emissions:consumer:overflowed', () => ({ consumer, policy, count, capacity }));
    this.#dropped('overflow', count, first);
  }

  #dropped(reason: EmissionDropped['reason'], howMany: number, first: Emission | undefined): void {
    signal('emissions:emission:dropped', () => ({
      reason,
      emission: first?.name ?? '',
      count: howMany,
      consumer: this.#destination.name,
    }));
  }

  #ended(emissions: readonly Emission[], { isIgnored }: Ended): void {
    this.#ledger?.ended(this.#destination, emissions, isIgnored ? 'ignored' : 'completed');
  }

  #signalFailed(message: Failure): void {
    const { kind, name } = this.#destination;
    if (kind === 'adapter')
      signal('emissions:adapter:failed', () => ({ adapter: name, ...message }));
    else signal('emissions:handler:failed', () => ({ handler: name, ...message }));
  }
}

type Failure = Omit<AdapterFailed, 'adapter'>;

function describe(
  phase: 'interested' | 'deliver',
  failed: readonly Emission[],
  error: unknown,
  { durationMs, attempt }: Timed,
): Failure {
  return { phase, emission: failed[0]!.name, count: failed.length, durationMs, attempt, error };
}

function count(emissions: number): string {
  return emissions === 1 ? 'an emission' : `${emissions} emissions`;
}

/** Anything can be thrown, also what cannot be turned into text. */
function messageOf(error: unknown): string {
  try {
    if (error instanceof Error) return error.message;
  } catch {
    // A message that throws is no message: the error is shown as a value.
  }
  return typeof error === 'string' ? error : quote(error);
}
