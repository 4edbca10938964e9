import { Logger } from '@nestjs/common';
import type { Namespace } from 'socket.io';
import type { EmissionAdapter } from '../emission/adapter.js';
import { PartialDeliveryError } from '../emission/emission.errors.js';
import type { Emission } from '../emission/emission.js';
import { signal } from '../telemetry/signal.js';
import { channelsOf, roomOf } from './channel.js';
import type { ChannelHeads } from './channel-heads.js';

/** What the adapter needs of the gateway it sends through. */
export interface GatewayPort {
  /** `undefined` while nobody can have connected. */
  readonly server: Namespace | undefined;
  readonly heads: ChannelHeads;
  /** The tenant whose channels carry an emission; `undefined` when none may. */
  tenantOf(emission: Emission): string | undefined;
  serialize(emission: Emission): unknown;
}

/** One frame: emissions, as they are sent, for the same rooms. */
interface Frame {
  readonly rooms: string[];
  readonly key: string;
  readonly emissions: Emission[];
  readonly items: unknown[];
}

/**
 * Sends emissions to the rooms of their tenant's channels. What stands one behind another for the same rooms goes in one
 * frame, encoded once; a socket in several of the rooms gets it once.
 */
export class GatewayAdapter implements EmissionAdapter {
  readonly name = 'gateway';
  readonly #logger = new Logger('Emissions');
  readonly #gateway: GatewayPort;
  #warned = false;

  constructor(gateway: GatewayPort) {
    this.#gateway = gateway;
  }

  /** @throws PartialDeliveryError with those that could not be serialized or encoded */
  deliver(batch: readonly Emission[]): void {
    const failed: Emission[] = [];
    const errors: unknown[] = [];
    const fail = (emission: Emission, error: unknown): void => {
      failed.push(emission);
      errors.push(error);
    };
    for (const frame of this.#framesOf(batch, fail)) this.#send(frame, fail);
    if (failed.length > 0) throw new PartialDeliveryError(failed, { cause: errors[0] });
  }

  #framesOf(
    batch: readonly Emission[],
    fail: (emission: Emission, error: unknown) => void,
  ): Frame[] {
    const frames: Frame[] = [];
    for (const emission of batch) {
      const tenant = this.#gateway.tenantOf(emission);
      if (tenant === undefined) {
        this.#drop(emission);
        continue;
      }
      try {
        const item = withOffset(this.#gateway.serialize(emission), emission.id);
        const rooms = channelsOf(emission).map((channel) => roomOf(tenant, channel));
        const key = rooms.join('\n');
        const last = frames.at(-1);
        // Only neighbours share a frame: a follower of several channels sees them in their order.
        if (last?.key === key) {
          last.emissions.push(emission);
          last.items.push(item);
        } else frames.push({ rooms, key, emissions: [emission], items: [item] });
        this.#gateway.heads.advance(tenant, emission.id);
      } catch (error) {
        fail(emission, error);
      }
    }
    return frames;
  }

  #send(
    { rooms, emissions, items }: Frame,
    fail: (emission: Emission, error: unknown) => void,
  ): void {
    try {
      this.#gateway.server?.to(rooms).emit('emissions', items);
    } catch (error) {
      // One of them cannot be encoded: the others go one by one.
      if (emissions.length === 1) return fail(emissions[0]!, error);
      for (const [i, emission] of emissions.entries()) {
        this.#send({ rooms, key: '', emissions: [emission], items: [items[i]] }, fail);
      }
    }
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

function withOffset(body: unknown, offset: string): unknown {
  const isRecord =
    typeof body === 'object' && body !== null && !Array.isArray(body) && !ArrayBuffer.isView(body);
  return isRecord ? { ...body, offset } : { offset, data: body };
}
