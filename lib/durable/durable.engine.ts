import { Logger } from '@nestjs/common';
import type { Clock } from '../emission/clock.js';
import type {
  DurableBacklog,
  DurableDestination,
  DurableEngine,
  DurablePlan,
} from '../emission/durable-engine.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import { signal } from '../telemetry/signal.js';
import { DeliveryAcceptor } from './delivery/delivery.acceptor.js';
import type { DeliveryQueue } from './delivery/delivery.js';
import type { DeliveryStore } from './delivery/delivery.store.js';
import { Dispatcher } from './worker/dispatcher.js';
import type { DurableOptions } from './durable.options.js';
import { atMost } from './in-time.js';
import { ownerOf, queueNameOf } from './delivery/queue-name.js';
import type { EmissionStorage } from './storage/stored-emission.js';

/** How many signs of life fit into the time after which a worker is taken for dead. */
const BEATS = 3;
const CLOSE_MS = 5_000;

/**
 * Durable deliveries of one application: stores what commits owe to its durable handlers, and, as a worker, works off what any
 * process has stored for them.
 *
 * Three clocks keep it going, whatever notifications get lost: what is due is looked for every `pollMs`, together with what silent
 * workers left behind, and what this one works on is said to be alive three times per `heartbeatMs`.
 */
export class PostgresEngine implements DurableEngine {
  readonly acceptor: DeliveryAcceptor;
  readonly #logger = new Logger('Emissions');
  readonly #clocks: NodeJS.Timeout[] = [];
  #destinations: readonly DurableDestination[] = [];
  #queues: readonly DeliveryQueue[] = [];
  #dispatchers: readonly Dispatcher[] = [];
  #isOpen = false;
  #looking = false;
  #beating = false;

  constructor(
    readonly store: DeliveryStore,
    private readonly storage: EmissionStorage,
    private readonly options: DurableOptions,
    private readonly clock: () => Clock,
  ) {
    this.acceptor = new DeliveryAcceptor(store, storage, (queues) => this.#wake(queues));
  }

  /** The queues of this application. */
  get queues(): readonly DeliveryQueue[] {
    return this.#queues;
  }

  /** Who works them, by priority. */
  get dispatchers(): readonly Dispatcher[] {
    return this.#dispatchers;
  }

  takes(name: string): boolean {
    return this.acceptor.takes(name);
  }

  async open({ destinations, types, early, transact }: DurablePlan): Promise<void> {
    for (const type of types) this.storage.register(type);
    this.acceptor.serve(destinations);
    const queues = destinations.map(queuesOf);
    this.#queues = queues.flat();
    this.#destinations = destinations;
    await this.store.open();
    this.#isOpen = true;
    const others = await this.store.prepare(this.#queues);
    await this.#warnOfOthers(others);
    if (early.length > 0) await this.acceptor.plan(early)?.();
    const { store, storage } = this;
    const { pollMs } = this.options;
    const parts = { store, storage, clock: this.clock(), transact, pollMs };
    this.#dispatchers = destinations
      .map((destination, i) => new Dispatcher(destination, queues[i]!, parts))
      .sort((a, b) => a.priority - b.priority);
  }

  async backlog(): Promise<readonly DurableBacklog[]> {
    if (!this.#isOpen || this.#queues.length === 0) return [];
    const counts = await this.store.counts(this.#queues.map(({ name }) => name));
    const now = Date.now();
    return this.#destinations.map(({ destination }) => {
      const names = [false, true].map((isKeyed) => queueNameOf(destination, isKeyed));
      const own = counts.filter(({ queue }) => names.includes(queue));
      const sum = (field: 'waiting' | 'running' | 'dead' | 'blockedKeys'): number =>
        own.reduce((total, each) => total + each[field], 0);
      return {
        kind: destination.kind,
        consumer: destination.name,
        waiting: sum('waiting'),
        running: sum('running'),
        dead: sum('dead'),
        blockedKeys: sum('blockedKeys'),
        oldestMs: Math.max(0, ...own.map(({ oldestAt }) => now - (oldestAt?.getTime() ?? now))),
      };
    });
  }

  /** @throws ConfigurationError in a process that is no worker */
  resume(dispatcher: Dispatcher): void {
    if (!this.options.worker) {
      throw new ConfigurationError(
        `This process has the option worker: false, and works nothing off; ${dispatcher.name} cannot be resumed in it.`,
      );
    }
    dispatcher.start();
  }

  start(): void {
    if (!this.options.worker || this.#dispatchers.length === 0) return;
    for (const dispatcher of this.#dispatchers) dispatcher.start();
    void this.store.listen((queue) =>
      this.#wake(queue === undefined ? undefined : new Set([queue])),
    );
    const { pollMs, heartbeatMs } = this.options;
    this.#clocks.push(
      setInterval(() => void this.#look(), pollMs),
      setInterval(() => void this.#beat(), heartbeatMs / BEATS),
    );
  }

  async drain(): Promise<void> {
    const { drainTimeoutMs } = this.options;
    await Promise.all(this.#dispatchers.map((dispatcher) => dispatcher.drain(drainTimeoutMs)));
  }

  async close(): Promise<void> {
    for (const clock of this.#clocks.splice(0)) clearInterval(clock);
    for (const { lanes } of this.#dispatchers) for (const lane of lanes) lane.close();
    // Connections whose other end is silent do not end.
    if (this.#isOpen) await atMost(CLOSE_MS, this.store.close());
    this.#isOpen = false;
  }

  #wake(queues: ReadonlySet<string> | undefined): void {
    for (const { lanes } of this.#dispatchers)
      for (const lane of lanes) if (queues?.has(lane.queue.name) !== false) lane.wake();
  }

  /** What is due, and what is left behind. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.store.rescue(this.#queues);
      this.#wake(new Set(await this.store.due(this.#queues.map(({ name }) => name))));
    } catch {
      // The dispatchers say so themselves; the next look may get through.
      this.#wake(undefined);
    } finally {
      this.#looking = false;
    }
  }

  async #beat(): Promise<void> {
    if (this.#beating) return;
    this.#beating = true;
    try {
      // A connection that is silent must not silence this worker: the next sign goes through another one.
      const beats = this.#dispatchers.map((dispatcher) => dispatcher.beat());
      await atMost(this.options.heartbeatMs / BEATS, Promise.all(beats));
    } catch {
      // As above.
    } finally {
      this.#beating = false;
    }
  }

  /** Deliveries of a handler that was removed or renamed wait for a process that has it. */
  async #warnOfOthers(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const counts = await this.store.counts(names);
    for (const { queue, waiting, dead } of counts) {
      if (waiting + dead === 0) continue;
      const about = {
        ...({ reason: 'handler', consumer: ownerOf(queue), count: waiting + dead } as const),
      };
      signal('emissions:delivery:unknown', () => about);
      this.#logger.warn(
        `${waiting + dead} deliveries are stored for '${ownerOf(queue)}', which this application does not have: they wait for one that ` +
          `does. If the handler was renamed, give it the old id: @OnEmission(…, { durable: true, id: '${ownerOf(queue)}' }).`,
      );
    }
  }
}

function queuesOf({ destination, settings }: DurableDestination): DeliveryQueue[] {
  const { maxAttempts, onDead, tenantConcurrency } = settings;
  return [false, true].map((isKeyed) => ({
    name: queueNameOf(destination, isKeyed),
    isKeyed,
    maxAttempts,
    skipsDead: isKeyed && onDead === 'skip',
    tenantConcurrency,
  }));
}
