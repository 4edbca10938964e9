import { Logger } from '@nestjs/common';
import type { Destination } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import { quote } from '../emission/quote.js';
import type { AdapterFailed, EmissionDropped } from '../telemetry/channels.js';
import { callsAreHeard, sheddingIsHeard, signal } from '../telemetry/signal.js';

/** How long a call has taken, and which it was. */
export interface Timed {
  readonly durationMs: number;
  readonly attempt: number;
}

/** The call, as it were, of somebody who was only asked. */
export const ASKED: Timed = Object.freeze({ durationMs: 0, attempt: 1 });

/** Says what became of a consumer's emissions: in signals, and, when something was given up, in the log. */
export class ConsumerReport {
  readonly #logger = new Logger('Emissions');
  readonly #destination: Destination;

  constructor(destination: Destination) {
    this.#destination = destination;
  }

  /** Whether anybody hears how long calls take. */
  get isHeard(): boolean {
    return callsAreHeard(this.#destination.kind);
  }

  /** Handlers report their own success: only they know whether an emission was handled or ignored. */
  delivered(count: number, call: Timed): void {
    const { kind, name } = this.#destination;
    if (kind !== 'adapter') return;
    signal('emissions:adapter:delivered', () => {
      const { durationMs, attempt } = call;
      return { adapter: name, count, durationMs, attempt };
    });
  }

  retried(failed: readonly Emission[], error: unknown, call: Timed, delayMs: number): void {
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
    const { kind, name } = this.#destination;
    const message = describe(phase, failed, error, call);
    this.#signalFailed(message);
    const what = phase === 'interested' ? 'could not tell whether it wants' : 'failed on';
    this.#logger.error(
      `The ${kind} ${name} ${what} ${count(failed.length)} ('${message.emission}'), attempt ${call.attempt}: ${messageOf(error)}`,
      stackOf(error),
    );
  }

  /** A pattern could not answer for a name. */
  unmatchable(emission: string, error: unknown): void {
    const { kind, name } = this.#destination;
    this.#signalFailed({ phase: 'interested', emission, count: 1, ...ASKED, error });
    this.#logger.error(`The ${kind} ${name} does not take '${emission}': ${messageOf(error)}`);
  }

  /** A stuck consumer sheds all the time: nothing is put together when nobody listens. */
  overflowed(count: number, first: Emission): void {
    if (!sheddingIsHeard()) return;
    const { name: consumer, options } = this.#destination;
    const { overflow: policy, capacity } = options;
    signal('emissions:consumer:overflowed', () => ({ consumer, policy, count, capacity }));
    this.dropped('overflow', count, first);
  }

  dropped(reason: EmissionDropped['reason'], howMany: number, first: Emission | undefined): void {
    signal('emissions:emission:dropped', () => ({
      reason,
      emission: first?.name ?? '',
      count: howMany,
      consumer: this.#destination.name,
    }));
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

function stackOf(error: unknown): string | undefined {
  try {
    return error instanceof Error ? error.stack : undefined;
  } catch {
    return undefined;
  }
}
