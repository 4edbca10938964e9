import type { Emission } from '../emission/emission.js';
import { signal } from '../telemetry/signal.js';
import { PipelineFullError } from './pipeline.errors.js';

/** Who they are kept for, in messages: nobody yet. */
const NOT_STARTED = '(not started)';

/** Keeps what is committed while the application starts, in order, up to a capacity. */
export class EarlyEmissions {
  readonly #capacity: number;
  #kept: Emission[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#kept.length;
  }

  get kept(): readonly Emission[] {
    return [...this.#kept];
  }

  /** @throws PipelineFullError when they do not all fit; none is kept then */
  keep(emissions: readonly Emission[]): void {
    if (this.#kept.length + emissions.length > this.#capacity) {
      throw new PipelineFullError(
        NOT_STARTED,
        `More than ${this.#capacity} emissions were committed before the application had started ` +
          `(option pipeline.capacity); emit from onApplicationBootstrap or later, or raise it.`,
      );
    }
    for (const emission of emissions) this.#kept.push(emission);
  }

  /** Gives them all back, and forgets them. */
  take(): readonly Emission[] {
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }

  /** The application closes before it has started: what was kept is dropped and signalled. Returns how many that were. */
  giveUp(): { consumer: string; count: number } {
    const kept = this.take();
    if (kept.length > 0) {
      signal('emissions:emission:dropped', () => ({
        reason: 'shutdown',
        emission: kept[0]!.name,
        count: kept.length,
      }));
    }
    return { consumer: NOT_STARTED, count: kept.length };
  }
}
