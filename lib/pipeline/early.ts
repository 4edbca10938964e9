import type { Emission } from '../emission/emission.js';
import { signal } from '../telemetry/signal.js';
import { PipelineFullError } from './pipeline.errors.js';

/** Who they are kept for, in messages: nobody yet. */
const NOT_STARTED = '(not started)';

/** Keeps what is committed while the application starts, in order, up to a capacity. */
export class EarlyEmissions {
  readonly #capacity: number;
  #kept: Emission[] = [];
  #reserved = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many it keeps, or keeps room for. */
  get length(): number {
    return this.#kept.length + this.#reserved;
  }

  get kept(): readonly Emission[] {
    return [...this.#kept];
  }

  /** @throws PipelineFullError when they do not all fit; none is kept then */
  keep(emissions: readonly Emission[]): void {
    this.reserve(emissions.length);
    this.#reserved -= emissions.length;
    for (const emission of emissions) this.#kept.push(emission);
  }

  /**
   * Keeps room for so many.
   *
   * @throws PipelineFullError when they do not all fit
   */
  reserve(count: number): void {
    if (this.length + count > this.#capacity) {
      throw new PipelineFullError(
        NOT_STARTED,
        `More than ${this.#capacity} emissions were committed before the application had started ` +
          `(option pipeline.capacity); emit from onApplicationBootstrap or later, or raise it.`,
      );
    }
    this.#reserved += count;
  }

  /** They came, or do not come. */
  release(count: number): void {
    this.#reserved -= count;
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
