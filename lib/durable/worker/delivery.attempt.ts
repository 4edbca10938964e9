import type { Emission } from '../../emission/emission.js';
import type { Transact } from '../../emission/transaction-source.js';
import { Attempt, awaited } from '../../pipeline/attempt.js';
import type { Claim } from '../delivery/delivery.js';

/** One call of a durable destination: the deliveries that it is for, and what its handler sees of them. */
export class DeliveryAttempt extends Attempt {
  /** Those that nobody has settled yet. */
  readonly open: Set<Claim>;

  constructor(
    consumer: string,
    readonly claims: readonly Claim[],
    emissions: readonly Emission[],
    readonly transact: Transact,
  ) {
    const attempt = Math.max(...claims.map((claim) => claim.attempt));
    super(awaited(consumer), attempt, emissions, true);
    this.open = new Set(claims);
  }

  /** The id of the delivery, of a handler's call. */
  get deliveryId(): string {
    return this.claims[0]!.id;
  }
}
