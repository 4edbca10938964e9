import { Inject, Injectable } from '@nestjs/common';
import { ConfigurationError } from '../emission/emission.errors.js';
import { DURABLE_ENGINE } from '../emission/durable-engine.js';
import { quote } from '../emission/quote.js';
import type { Delivery, DeliveryState } from './delivery.js';
import type { DeliveryFilter } from './delivery.store.js';
import { PostgresEngine } from './durable.engine.js';
import { UnknownHandlerError } from './durable.errors.js';
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

/** How many deliveries one durable handler has, by where they stand. */
export interface HandlerStats {
  readonly handler: string;
  /** Whether this application has it; deliveries of others wait for one that does. */
  readonly isKnown: boolean;
  /** Whether this process works them off. */
  readonly isWorking: boolean;
  readonly waiting: number;
  /** Of those waiting, how many are not due yet. */
  readonly delayed: number;
  readonly running: number;
  readonly dead: number;
  /** For how many milliseconds the oldest that is due has been stored; 0 when none is. */
  readonly oldestMs: number;
}

type Looked = Pick<PostgresEngine, 'dispatchers' | 'queues' | 'resume'> & {
  readonly store: Pick<PostgresEngine['store'], 'find' | 'retry' | 'discard' | 'queues' | 'counts'>;
};

/** What there is under the testing kit's recorder. */
const NOTHING: Looked = {
  dispatchers: [],
  queues: [],
  resume: () => {},
  store: {
    find: async () => [],
    retry: async () => [],
    discard: async () => [],
    queues: async () => [],
    counts: async () => [],
  },
};

const FIELDS = ['handler', 'tenant', 'ids', 'limit'];
const ALL: readonly DeliveryState[] = ['waiting', 'running', 'completed', 'dead', 'discarded'];

/** Shows what is stored for durable handlers, in all processes, and lets people see to what went wrong. */
@Injectable()
export class DurableDeliveries {
  private readonly engine: Looked;

  constructor(@Inject(DURABLE_ENGINE) engine: unknown) {
    this.engine = engine instanceof PostgresEngine ? engine : NOTHING;
  }

  /** The dead deliveries, with their errors; the latest first. */
  async failed(filter: DeadDeliveries = {}): Promise<Delivery[]> {
    const { limit } = filter;
    const found = await this.#store.find({ ...this.#filter(filter), limit, states: ['dead'] });
    return found.map(deliveryOf);
  }

  /**
   * Lets dead deliveries run again, each in its old place before those of its key, with as many attempts as at first: those of an
   * emission (given by its id), or those that a filter names; all, with `{}`.
   *
   * @returns how many there were
   */
  async retry(which: string | Omit<DeadDeliveries, 'limit'>): Promise<number> {
    return (await this.#store.retry(this.#filter(which))).length;
  }

  /**
   * Gives dead deliveries up, by the id of their emission or a filter. What waits behind them goes on.
   *
   * @returns how many there were
   */
  async discard(which: string | Omit<DeadDeliveries, 'limit'>): Promise<number> {
    return (await this.#store.discard(this.#filter(which))).length;
  }

  /**
   * The keys whose emissions wait behind a dead one, until that is retried or discarded. None, for a handler with
   * `onDead: 'skip'`.
   */
  async blockedKeys(handler: string): Promise<string[]> {
    const queues = this.#queuesOf(handler).filter(
      ({ isKeyed, skipsDead }) => isKeyed && !skipsDead,
    );
    const names = queues.map(({ name }) => name);
    const dead = await this.#store.find({ queues: names, states: ['dead'], limit: 100_000 });
    return [...new Set(dead.map(({ key }) => key!))].sort();
  }

  /** What became of an emission at each durable handler that it was stored for; empty when nothing is known of it any more. */
  async status(emissionId: string): Promise<Delivery[]> {
    const queues = await this.#store.queues();
    return (await this.#store.find({ queues, ids: [emissionId], states: ALL })).map(deliveryOf);
  }

  /** How much each durable handler has to do, those of other applications on the same schema too. */
  async stats(): Promise<HandlerStats[]> {
    const counts = await this.#store.counts(await this.#store.queues());
    const handlers = new Set([
      ...this.engine.dispatchers.map(({ name }) => name),
      ...counts.map(({ queue }) => ownerOf(queue)),
    ]);
    const now = Date.now();
    return [...handlers].map((handler) => {
      const own = counts.filter(({ queue }) => ownerOf(queue) === handler);
      const sum = (field: 'waiting' | 'delayed' | 'running' | 'dead'): number =>
        own.reduce((total, each) => total + each[field], 0);
      const dispatcher = this.engine.dispatchers.find(({ name }) => name === handler);
      return {
        handler,
        isKnown: dispatcher !== undefined,
        isWorking: dispatcher?.isWorking === true,
        waiting: sum('waiting'),
        delayed: sum('delayed'),
        running: sum('running'),
        dead: sum('dead'),
        oldestMs: Math.max(0, ...own.map(({ oldestAt }) => now - (oldestAt?.getTime() ?? now))),
      };
    });
  }

  /**
   * Has this process take up no more deliveries of a handler, until `resume`; those at work go on. Other processes are not
   * concerned.
   */
  async pause(handler: string): Promise<void> {
    await this.#dispatcher(handler).pause();
  }

  /** Has this process take up deliveries of a handler again. */
  resume(handler: string): void {
    this.engine.resume(this.#dispatcher(handler));
  }

  get #store(): Looked['store'] {
    return this.engine.store;
  }

  #filter(which: string | DeadDeliveries): DeliveryFilter {
    if (typeof which === 'string') return { queues: this.#names(), ids: [which] };
    const unknown = Object.keys(Object(which)).find((field) => !FIELDS.includes(field));
    if (typeof which !== 'object' || which === null || unknown !== undefined) {
      throw new ConfigurationError(
        `Deliveries are named by the id of an emission, or by { ${FIELDS.join(', ')} }, but got ${quote(unknown ?? which)}.`,
      );
    }
    const { handler, tenant, ids } = which;
    const queues =
      handler === undefined ? this.#names() : this.#queuesOf(handler).map(({ name }) => name);
    return { queues, tenant, ids };
  }

  #names(): string[] {
    return this.engine.queues.map(({ name }) => name);
  }

  #queuesOf(handler: string): PostgresEngine['queues'] {
    return this.#dispatcher(handler).lanes.map(({ queue }) => queue);
  }

  #dispatcher(handler: string): PostgresEngine['dispatchers'][number] {
    const { dispatchers } = this.engine;
    const found = dispatchers.find(({ name }) => name === handler);
    if (found === undefined)
      throw new UnknownHandlerError(
        handler,
        dispatchers.map(({ name }) => name),
      );
    return found;
  }
}

function deliveryOf({
  queue,
  ...delivery
}: Omit<Delivery, 'handler'> & { queue: string }): Delivery {
  return { ...delivery, handler: ownerOf(queue) };
}
