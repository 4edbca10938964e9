import type { Emission } from '../emission/emission.js';
import type { Transact } from '../emission/transaction-source.js';
import { Attempt } from '../pipeline/attempt.js';
import { NO_KEYS } from '../pipeline/backlog.js';
import type { Claim } from './delivery.js';

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
    super(consumer, Math.max(...claims.map(({ attempt }) => attempt)), emissions, NO_KEYS, true);
    this.open = new Set(claims);
  }

  /** The id of the delivery, of a handler's call. */
  get deliveryId(): string {
    return this.claims[0]!.id;
  }
}
