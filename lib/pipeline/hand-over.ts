import type { Emission } from '../emission/emission.js';
import { signal } from '../telemetry/channels.js';
import type { Consumer } from './consumer.js';
import { PipelineClosedError, PipelineFullError } from './pipeline.errors.js';

/** Who gets what of one commit. */
export type Plan = Map<Consumer, Emission[]>;

interface Waiter {
  readonly plan: Plan;
  readonly emissions: readonly Emission[];
  readonly timer: NodeJS.Timeout;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Puts a commit into the queues of all its consumers at once, or, when one is full, into none.
 *
 * Commits that have to wait stand in line: one goes when all its queues have room, and never before an earlier one that
 * waits for the same queue. Commits that want other queues pass by, so that a stuck consumer holds back only those who
 * want it.
 */
export class HandOver {
  readonly #waitTimeoutMs: number;
  #line: Waiter[] = [];

  constructor(waitTimeoutMs: number) {
    this.#waitTimeoutMs = waitTimeoutMs;
  }

  /** How many commits stand in line. */
  get waiting(): number {
    return this.#line.length;
  }

  /** @returns a promise when the commit has to wait; @throws PipelineFullError when it must not, or cannot ever fit */
  push(plan: Plan, emissions: readonly Emission[]): Promise<void> | undefined {
    const full = this.#firstFull(plan, this.#wantedByTheLine());
    if (full === undefined) {
      queue(plan);
      return undefined;
    }
    const { overflow, capacity } = full.destination.options;
    const count = plan.get(full)!.length;
    if (overflow === 'reject' || count > capacity) throw refused(full, count);
    return this.#wait(plan, emissions, full);
  }

  /** Lets those go who have room now; called whenever a consumer has progressed. */
  retry(gone: (emissions: readonly Emission[]) => void): void {
    if (this.#line.length === 0) return;
    const blocked = new Set<Consumer>();
    for (const waiter of [...this.#line]) {
      if (this.#firstFull(waiter.plan, blocked) === undefined) {
        this.#leave(waiter);
        queue(waiter.plan);
        gone(waiter.emissions);
        waiter.resolve();
      } else {
        for (const consumer of waiter.plan.keys()) if (mayBlock(consumer)) blocked.add(consumer);
      }
    }
  }

  /** A consumer was removed: nobody waits for it any more. */
  forget(consumer: Consumer): void {
    for (const { plan } of this.#line) plan.delete(consumer);
  }

  /** Refuses everyone in line. */
  close(): void {
    for (const waiter of [...this.#line]) {
      this.#leave(waiter);
      waiter.reject(new PipelineClosedError());
    }
  }

  #wait(plan: Plan, emissions: readonly Emission[], full: Consumer): Promise<void> {
    signal('emissions:consumer:waiting', () => ({
      consumer: full.name,
      count: plan.get(full)!.length,
      capacity: full.destination.options.capacity,
    }));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#leave(waiter);
        const still = this.#firstFull(plan, new Set()) ?? full;
        reject(refused(still, plan.get(still)?.length ?? 0, this.#waitTimeoutMs));
      }, this.#waitTimeoutMs);
      const waiter: Waiter = { plan, emissions, timer, resolve, reject };
      this.#line.push(waiter);
    });
  }

  #leave(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#line = this.#line.filter((other) => other !== waiter);
  }

  #firstFull(plan: Plan, blocked: ReadonlySet<Consumer>): Consumer | undefined {
    for (const [consumer, wanted] of plan) {
      if (mayBlock(consumer) && (blocked.has(consumer) || consumer.room < wanted.length))
        return consumer;
    }
    return undefined;
  }

  /** Queues that somebody in line waits for: a later commit must not overtake there. */
  #wantedByTheLine(): ReadonlySet<Consumer> {
    if (this.#line.length === 0) return NOBODY;
    return new Set(this.#line.flatMap(({ plan }) => [...plan.keys()].filter(mayBlock)));
  }
}

const NOBODY: ReadonlySet<Consumer> = new Set();

function queue(plan: Plan): void {
  for (const [consumer, wanted] of plan) consumer.push(wanted);
}

/** Queues that shed never hold a commit back. */
function mayBlock(consumer: Consumer): boolean {
  const { overflow } = consumer.destination.options;
  return overflow === 'wait' || overflow === 'reject';
}

function refused(consumer: Consumer, count: number, waitedMs?: number): PipelineFullError {
  const { name, options, kind } = consumer.destination;
  signal('emissions:consumer:overflowed', () => ({
    consumer: name,
    policy: options.overflow,
    count,
    capacity: options.capacity,
  }));
  const why =
    count > options.capacity
      ? `the commit holds ${count} for it, more than ever fit: flush() in between, or raise its capacity`
      : waitedMs === undefined
        ? `its overflow policy is 'reject': make it faster, raise its capacity, or use 'wait' or a dropping policy`
        : `there was no room within ${waitedMs} ms (pipeline.waitTimeoutMs): make it faster, raise its capacity, or let it drop`;
  return new PipelineFullError(
    name,
    `The queue of the ${kind} ${name} is full (${options.capacity} emissions), and ${why}. Nothing of the commit was handed over.`,
  );
}
