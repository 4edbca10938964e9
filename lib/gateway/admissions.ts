import type { Order } from './cluster.js';
import { ConnectionRefusedError } from './gateway.errors.js';
import type { GatewayIdentity } from './gateway.options.js';
import { isMeant } from './members.js';

/**
 * Those of whom it is being found out who they are. What is ordered meanwhile concerns them as well: what they are about to be
 * admitted with may have been read before it changed.
 */
export class Admissions {
  readonly #pending = new Set<Order[]>();

  hear(order: Order): void {
    for (const heard of this.#pending) heard.push(order);
  }

  /** @throws ConnectionRefusedError when they were disconnected before they were there */
  async admit<I extends GatewayIdentity>(identify: () => Promise<I>): Promise<I> {
    const heard: Order[] = [];
    this.#pending.add(heard);
    try {
      return heard.reduce(obeyed, await identify()) as I;
    } finally {
      this.#pending.delete(heard);
    }
  }
}

function obeyed(identity: GatewayIdentity, order: Order): GatewayIdentity {
  if (order.do === 'disconnect' && isMeant(order, identity))
    throw new ConnectionRefusedError('it was ended by the application meanwhile.');
  if (order.do !== 'refresh') return identity;
  const renewed = order.identity;
  const same = renewed.tenant === identity.tenant && renewed.subject === identity.subject;
  return same ? Object.freeze({ ...renewed }) : identity;
}
