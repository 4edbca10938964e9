import { PartialDeliveryError } from '../emission/emission.errors.js';
import type { Emission } from '../emission/emission.js';
import { asError } from './broker.errors.js';

/** What of a batch did not arrive, and why. */
export class Undelivered {
  readonly #causes = new Map<Emission, unknown>();

  add(emission: Emission, cause: unknown): void {
    if (!this.#causes.has(emission)) this.#causes.set(emission, cause);
  }

  /**
   * Throws what `deliver` owes its caller: nothing when all has arrived, the cause when nothing has and there is one for all,
   * else a {@link PartialDeliveryError} that names what has not, in its order.
   */
  throwFor(batch: readonly Emission[]): void {
    const [first] = this.#causes.values();
    if (this.#causes.size === 0) return;
    const isShared = [...this.#causes.values()].every((cause) => cause === first);
    if (isShared && this.#causes.size === batch.length) throw asError(first);
    const failed = batch.filter((emission) => this.#causes.has(emission));
    throw new PartialDeliveryError(failed, { cause: asError(first) });
  }
}
