import { Logger } from '@nestjs/common';
import type { EmissionAdapter } from '../emission/adapter.js';
import type { ChannelEntry } from '../emission/channel-history.js';
import { PartialDeliveryError } from '../emission/emission.errors.js';
import type { Emission } from '../emission/emission.js';
import { signal } from '../telemetry/signal.js';

/** What the adapter needs of the gateway it sends through. */
export interface GatewayPort {
  /** The tenant whose channels carry an emission; `undefined` when none may. */
  tenantOf(emission: Emission): string | undefined;
  /** What its channels carry of it. */
  entryOf(emission: Emission): ChannelEntry;
  /** Brings it to the channels of a tenant. */
  append(tenant: string, entries: readonly ChannelEntry[]): void | Promise<void>;
  /** Whether clients have much waiting that had better be written first. */
  readonly pressed: boolean;
}

/** What of a batch is one tenant's. */
interface Share {
  readonly emissions: Emission[];
  readonly entries: ChannelEntry[];
}

/** Brings emissions to the channels of their tenants, what a batch holds for one tenant at once. */
export class GatewayAdapter implements EmissionAdapter {
  readonly name = 'gateway';
  readonly #logger = new Logger('Emissions');
  readonly #gateway: GatewayPort;
  #warned = false;

  constructor(gateway: GatewayPort) {
    this.#gateway = gateway;
  }

  /** @throws PartialDeliveryError with those that could not be serialized, encoded or taken by the history */
  deliver(batch: readonly Emission[]): void | Promise<void> {
    const failed: Emission[] = [];
    const errors: unknown[] = [];
    const fail = (emissions: readonly Emission[], error: unknown): void => {
      failed.push(...emissions);
      errors.push(error);
    };
    const pending: Promise<void>[] = [];
    for (const [tenant, { emissions, entries }] of this.#sharesOf(batch, fail)) {
      try {
        const taken = this.#gateway.append(tenant, entries);
        if (taken !== undefined) pending.push(taken.catch((error) => fail(emissions, error)));
      } catch (error) {
        fail(emissions, error);
      }
    }
    if (pending.length > 0) return Promise.all(pending).then(() => this.#over(failed, errors));
    return this.#over(failed, errors);
  }

  #over(failed: Emission[], errors: unknown[]): void | Promise<void> {
    if (failed.length > 0) throw new PartialDeliveryError(failed, { cause: errors[0] });
    // Clients that keep up get what waits for them written in the next round; those that do not are not waited for.
    if (this.#gateway.pressed) return new Promise((resolve) => setImmediate(resolve));
  }

  #sharesOf(
    batch: readonly Emission[],
    fail: (emissions: readonly Emission[], error: unknown) => void,
  ): Map<string, Share> {
    const shares = new Map<string, Share>();
    for (const emission of batch) {
      const tenant = this.#gateway.tenantOf(emission);
      if (tenant === undefined) {
        this.#drop(emission);
        continue;
      }
      try {
        const entry = this.#gateway.entryOf(emission);
        const share = shares.get(tenant) ?? { emissions: [], entries: [] };
        share.emissions.push(emission);
        share.entries.push(entry);
        shares.set(tenant, share);
      } catch (error) {
        fail([emission], error);
      }
    }
    return shares;
  }

  #drop(emission: Emission): void {
    signal('emissions:emission:dropped', () => ({
      reason: emission.tenant === undefined ? 'no-tenant' : 'foreign-tenant',
      emission: emission.name,
      count: 1,
      consumer: this.name,
    }));
    if (this.#warned) return;
    this.#warned = true;
    this.#logger.warn(
      emission.tenant === undefined
        ? `'${emission.name}' has no tenant and reaches no channel: set the option tenancy.key, stamp a tenant with the option ` +
            `context, or emit(…, { tenant }). Said once.`
        : `'${emission.name}' has a tenant and reaches no channel, since the gateway is anonymous. Said once.`,
    );
  }
}
