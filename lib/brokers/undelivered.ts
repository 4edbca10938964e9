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
   * Throws what `deliver` owes its caller: nothing when all has arrived, the cause when nothing has and it is the same for all,
   * else a {@link PartialDeliveryError} that names what has not, in its order.
   */
  throwFor(batch: readonly Emission[]): void {
    const [first] = this.#causes.values();
    if (this.#causes.size === 0) return;
    const cause = asError(first);
    const isShared = (other: unknown): boolean =>
      other === first || asError(other).message === cause.message;
    if (this.#causes.size === batch.length && [...this.#causes.values()].every(isShared))
      throw cause;
    const failed = batch.filter((emission) => this.#causes.has(emission));
    throw new PartialDeliveryError(failed, { cause });
  }
}
