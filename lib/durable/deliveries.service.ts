import { Inject, Injectable } from '@nestjs/common';
import { DURABLE_ENGINE } from '../emission/durable-engine.js';
import type { Delivery } from './delivery/delivery.js';
import {
  DeliveryDesk,
  type DeadDeliveries,
  type DeskStore,
  type HandlerLoad,
} from './delivery/delivery.desk.js';
import { PostgresEngine } from './durable.engine.js';
import { UnknownHandlerError } from './durable.errors.js';

/** How many deliveries one durable handler has, by where they stand. */
export interface HandlerStats extends HandlerLoad {
  /** Whether this application has it; deliveries of others wait for one that does. */
  readonly isKnown: boolean;
  /** Whether this process works them off. */
  readonly isWorking: boolean;
}

type Looked = Pick<PostgresEngine, 'dispatchers' | 'queues' | 'resume'> & {
  readonly store: DeskStore;
};

/** What there is under the testing kit's recorder. */
const NOTHING: Looked = {
  dispatchers: [],
  queues: [],
  resume: () => {},
  store: {
    find: async () => [],
    findDead: async () => [],
    retry: async () => [],
    discard: async () => [],
    queues: async () => [],
    counts: async () => [],
    blockedKeys: async () => [],
  },
};

const NO_LOAD = { waiting: 0, delayed: 0, running: 0, dead: 0, blockedKeys: 0, oldestMs: 0 };

/** Shows what is stored for durable handlers, in all processes, and lets people see to what went wrong. */
@Injectable()
export class DurableDeliveries {
  private readonly engine: Looked;
  private readonly desk: DeliveryDesk;

  constructor(@Inject(DURABLE_ENGINE) engine: unknown) {
    const looked = engine instanceof PostgresEngine ? engine : NOTHING;
    this.engine = looked;
    this.desk = new DeliveryDesk(looked.store, (handler) =>
      (handler === undefined ? looked.queues : this.#queuesOf(handler)).map(({ name }) => name),
    );
  }

  /** The dead deliveries, with their errors; the latest first. */
  async failed(filter: DeadDeliveries = {}): Promise<Delivery[]> {
    return this.desk.failed(filter);
  }

  /**
   * Lets dead deliveries run again, each in its old place before those of its key, with as many attempts as at first: those of an
   * emission (given by its id), or those that a filter names; all, with `{}`.
   *
   * @returns how many there were
   */
  async retry(which: string | Omit<DeadDeliveries, 'limit'>): Promise<number> {
    return (await this.desk.retry(which)).length;
  }

  /**
   * Gives dead deliveries up, by the id of their emission or a filter. What waits behind them goes on.
   *
   * @returns how many there were
   */
  async discard(which: string | Omit<DeadDeliveries, 'limit'>): Promise<number> {
    return (await this.desk.discard(which)).length;
  }

  /**
   * The keys whose emissions wait behind a dead one, until that is retried or discarded. With `onDead: 'skip'` there are none, but
   * those of before it was said.
   */
  async blockedKeys(handler: string): Promise<string[]> {
    const names = this.#queuesOf(handler).map(({ name }) => name);
    return this.engine.store.blockedKeys(names);
  }

  /** What became of an emission at each durable handler that it was stored for; empty when nothing is known of it any more. */
  async status(emissionId: string): Promise<Delivery[]> {
    return this.desk.status(emissionId);
  }

  /** How much each durable handler has to do, those of other applications on the same schema too. */
  async stats(): Promise<HandlerStats[]> {
    const { dispatchers } = this.engine;
    const loads = await this.desk.loads();
    const handlers = new Set([
      ...dispatchers.map(({ name }) => name),
      ...loads.map(({ handler }) => handler),
    ]);
    return [...handlers].map((handler) => {
      const load = loads.find((each) => each.handler === handler) ?? { ...NO_LOAD, handler };
      const dispatcher = dispatchers.find(({ name }) => name === handler);
      const isKnown = dispatcher !== undefined;
      return { ...load, isKnown, isWorking: dispatcher?.isWorking === true };
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
