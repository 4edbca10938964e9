import { ConfigurationError } from '../../emission/emission.errors.js';
import { quote } from '../../emission/quote.js';
import type { Delivery } from './delivery.js';
import type { DeliveryFilter, DeliveryStore } from './delivery.store.js';
import { ownerOf } from './queue-name.js';

/** Which dead deliveries are meant; what is left out is not asked about. */
export interface DeadDeliveries {
  /** The id of a durable handler. */
  handler?: string;
  tenant?: string;
  /** The ids of their emissions. */
  ids?: readonly string[];
  /**
   * How many at most, the latest first; of `failed` alone.
   * @default 100
   */
  limit?: number;
}

/** What is stored for one durable handler, by where it stands. */
export interface HandlerLoad {
  readonly handler: string;
  readonly waiting: number;
  /** Of those waiting, how many are not due yet. */
  readonly delayed: number;
  readonly running: number;
  readonly dead: number;
  /** How many keys wait behind a dead one. */
  readonly blockedKeys: number;
  /** For how many milliseconds the oldest that is due has been stored; 0 when none is. */
  readonly oldestMs: number;
}

/** A delivery that was retried or discarded. */
export type MendedDelivery = Pick<Delivery, 'id' | 'handler'>;

/** What is asked of a store. */
export type DeskStore = Pick<
  DeliveryStore,
  'find' | 'findDead' | 'retry' | 'discard' | 'queues' | 'counts' | 'blockedKeys'
>;

const FIELDS = ['handler', 'tenant', 'ids', 'limit'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Shows what is stored, and mends what is dead: behind `DurableDeliveries`, and behind the command line. */
export class DeliveryDesk {
  /** @param queuesOf the queues of a handler, or of all that are seen to here; throws for a handler that there is none of */
  constructor(
    private readonly store: DeskStore,
    private readonly queuesOf: (handler?: string) => readonly string[] | Promise<readonly string[]>,
  ) {}

  /** The dead deliveries, with their errors; the latest first. */
  async failed(filter: DeadDeliveries): Promise<Delivery[]> {
    const meant = await this.#filter(filter);
    const found = await this.store.findDead({ ...meant, limit: filter.limit });
    return found.map(deliveryOf);
  }

  /** Lets dead deliveries run again, each in its old place before those of its key. */
  async retry(which: string | DeadDeliveries): Promise<MendedDelivery[]> {
    return (await this.store.retry(await this.#filter(which))).map(mendedOf);
  }

  /** Gives dead deliveries up. What waits behind them goes on. */
  async discard(which: string | DeadDeliveries): Promise<MendedDelivery[]> {
    return (await this.store.discard(await this.#filter(which))).map(mendedOf);
  }

  /** What became of an emission at each handler that it was stored for, those of other applications too. */
  async status(emissionId: string): Promise<Delivery[]> {
    refuseNoIds([emissionId]);
    const queues = await this.store.queues();
    return (await this.store.find(queues, [emissionId])).map(deliveryOf);
  }

  /** How much each handler has to do, those of other applications too; or one, that is seen to here. */
  async loads(only?: string): Promise<HandlerLoad[]> {
    const queues = await (only === undefined ? this.store.queues() : this.queuesOf(only));
    const counts = await this.store.counts(queues);
    const now = Date.now();
    return [...new Set(counts.map(({ queue }) => ownerOf(queue)))].map((handler) => {
      const own = counts.filter(({ queue }) => ownerOf(queue) === handler);
      const sum = (field: 'waiting' | 'delayed' | 'running' | 'dead' | 'blockedKeys'): number =>
        own.reduce((total, each) => total + each[field], 0);
      return {
        handler,
        waiting: sum('waiting'),
        delayed: sum('delayed'),
        running: sum('running'),
        dead: sum('dead'),
        blockedKeys: sum('blockedKeys'),
        oldestMs: Math.max(0, ...own.map(({ oldestAt }) => now - (oldestAt?.getTime() ?? now))),
      };
    });
  }

  async #filter(which: string | DeadDeliveries): Promise<DeliveryFilter> {
    const { handler, tenant, ids }: DeadDeliveries =
      typeof which === 'string' ? { ids: [which] } : checked(which);
    refuseNoIds(ids ?? []);
    return { queues: await this.queuesOf(handler), tenant, ids };
  }
}

/** As people see one, from its row. */
export function deliveryOf({
  queue,
  ...delivery
}: Omit<Delivery, 'handler'> & { queue: string }): Delivery {
  return { ...delivery, handler: ownerOf(queue) };
}

function mendedOf({ id, queue }: { id: string; queue: string }): MendedDelivery {
  return { id, handler: ownerOf(queue) };
}

function checked(which: DeadDeliveries): DeadDeliveries {
  const unknown = Object.keys(Object(which)).find((field) => !FIELDS.includes(field));
  if (typeof which === 'object' && which !== null && unknown === undefined) return which;
  throw new ConfigurationError(
    `Deliveries are named by the id of an emission, or by { ${FIELDS.join(', ')} }, but got ${quote(unknown ?? which)}.`,
  );
}

/** What is wrong with ids of emissions, if anything is; the database would say so in words of its own. */
export function wrongIn(ids: readonly string[]): string | undefined {
  const wrong = ids.find((id) => !UUID.test(id));
  if (wrong === undefined) return undefined;
  return `${quote(wrong)} is the id of no emission: they look like 01997f3e-8b1a-7c54-9d2e-5f6a7b8c9d0e.`;
}

function refuseNoIds(ids: readonly string[]): void {
  const wrong = wrongIn(ids);
  if (wrong !== undefined) throw new ConfigurationError(wrong);
}
