import type { Emission } from '../emission/emission.js';
import { signal } from '../telemetry/signal.js';
import type { Consumer } from './consumer.js';
import { PipelineClosedError, PipelineFullError } from './pipeline.errors.js';
import type { Share } from './shares.js';

/** Who gets what of one commit. */
export type Plan = Map<Consumer, Emission[]>;

/** A commit that waits for room. */
interface Waiter {
  readonly plan: Plan;
  readonly go: () => void;
  /** Who came before whom. */
  readonly ticket: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  timer: NodeJS.Timeout | undefined;
  /** In whose line it stands. */
  at: Consumer;
}

/**
 * Lets a commit go into the queues of all its consumers at once, or, when one is full, into none.
 *
 * A commit that has to wait stands in line at a consumer that has no room for it, behind those who came before; when there
 * is room it goes, or stands in line at the next consumer that is full. Commits that do not want that consumer pass by, so
 * that a stuck one holds back only those who want it.
 */
export class HandOver {
  readonly #waitTimeoutMs: number;
  readonly #lines = new Map<Consumer, Waiter[]>();
  #tickets = 0;
  #waiting = 0;

  constructor(waitTimeoutMs: number) {
    this.#waitTimeoutMs = waitTimeoutMs;
  }

  /** How many commits stand in line. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Calls `go` when there is room for all of a commit, which is to use it at once.
   *
   * @returns a promise when the commit has to wait; @throws PipelineFullError when it must not, or cannot ever fit
   */
  push(plan: Plan, go: () => void): void | Promise<void> {
    const refusal = refusalOf(plan);
    if (refusal !== undefined) throw refusal;
    const ticket = this.#tickets++;
    const full = this.#obstacle(plan, ticket);
    if (full !== undefined) return this.#wait(plan, go, ticket, full);
    go();
    return undefined;
  }

  /** Lets those go who waited for this consumer and have room now; called whenever it has progressed. */
  serve(consumer: Consumer): void {
    for (
      let line = this.#lines.get(consumer);
      line !== undefined;
      line = this.#lines.get(consumer)
    ) {
      const [first] = line as [Waiter];
      if (!hasRoom(consumer, first.plan)) return;
      this.#leave(first);
      this.#advance(first);
    }
  }

  /** A consumer was removed: nobody waits for it any more. */
  forget(consumer: Consumer): void {
    const line = [...(this.#lines.get(consumer) ?? [])];
    for (const waiter of this.#everyone()) waiter.plan.delete(consumer);
    for (const waiter of line) {
      // Somebody who was told why another one is refused may have let this one go.
      if (this.#lines.get(consumer)?.includes(waiter) !== true) continue;
      this.#leave(waiter);
      this.#advance(waiter);
    }
  }

  /** Refuses everyone in line. */
  close(): void {
    const everyone = this.#everyone();
    this.#lines.clear();
    this.#waiting = 0;
    for (const waiter of everyone) {
      clearTimeout(waiter.timer);
      waiter.reject(new PipelineClosedError());
    }
  }

  #everyone(): Waiter[] {
    return [...this.#lines.values()].flat();
  }

  #wait(plan: Plan, go: () => void, ticket: number, at: Consumer): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { plan, go, ticket, resolve, reject, timer: undefined, at };
      waiter.timer = setTimeout(() => this.#giveUp(waiter), this.#waitTimeoutMs);
      this.#stand(waiter, at);
    });
  }

  #stand(waiter: Waiter, at: Consumer): void {
    const count = waiter.plan.get(at)!.length;
    const { capacity } = at.destination.options;
    waiter.at = at;
    this.#waiting++;
    const line = this.#lines.get(at);
    if (line === undefined) this.#lines.set(at, [waiter]);
    else line.splice(line.findLastIndex(({ ticket }) => ticket < waiter.ticket) + 1, 0, waiter);
    // Once it stands there: who hears it may remove the consumer, or close.
    signal('emissions:consumer:waiting', () => ({ consumer: at.name, count, capacity }));
  }

  #leave(waiter: Waiter): void {
    const line = this.#lines.get(waiter.at)!;
    line.splice(line.indexOf(waiter), 1);
    this.#waiting--;
    if (line.length === 0) this.#lines.delete(waiter.at);
  }

  /** The waiter has got over one obstacle. */
  #advance(waiter: Waiter): void {
    const refusal = refusalOf(waiter.plan);
    const full = refusal === undefined ? this.#obstacle(waiter.plan, waiter.ticket) : undefined;
    if (full !== undefined) return this.#stand(waiter, full);
    clearTimeout(waiter.timer);
    if (refusal !== undefined) return waiter.reject(refusal);
    waiter.go();
    waiter.resolve();
  }

  #giveUp(waiter: Waiter): void {
    this.#leave(waiter);
    waiter.reject(refused(waiter.at, waiter.plan, this.#waitTimeoutMs));
    // Who stood behind may want less.
    this.serve(waiter.at);
  }

  /** A consumer to wait for: it has no room, or somebody who came before waits there. */
  #obstacle(plan: Plan, ticket: number): Consumer | undefined {
    for (const consumer of plan.keys()) {
      if (consumer.destination.options.overflow !== 'wait') continue;
      const first = this.#lines.get(consumer)?.[0];
      if ((first !== undefined && first.ticket < ticket) || !hasRoom(consumer, plan))
        return consumer;
    }
    return undefined;
  }
}

/** Who gets what, in order. */
export function planOf(shares: readonly Share[]): Plan {
  const plan: Plan = new Map();
  for (const { emissions, takers } of shares) {
    for (const emission of emissions) {
      for (const consumer of takers) {
        const wanted = plan.get(consumer);
        if (wanted === undefined) plan.set(consumer, [emission]);
        else if (consumer.destination.once) consumer.skip(emission);
        else wanted.push(emission);
      }
    }
  }
  return plan;
}

function hasRoom(consumer: Consumer, plan: Plan): boolean {
  return consumer.room >= plan.get(consumer)!.length;
}

/** Why the commit cannot even wait: a queue that rejects is full, or one that would be waited for is too small. */
function refusalOf(plan: Plan): PipelineFullError | undefined {
  for (const [consumer, wanted] of plan) {
    const { overflow, capacity } = consumer.destination.options;
    if (overflow === 'reject' && !hasRoom(consumer, plan)) return refused(consumer, plan);
    if (overflow === 'wait' && wanted.length > capacity) return refused(consumer, plan);
  }
  return undefined;
}

function refused(consumer: Consumer, plan: Plan, waitedMs?: number): PipelineFullError {
  const { name, options, kind } = consumer.destination;
  const { overflow, capacity } = options;
  const count = plan.get(consumer)!.length;
  signal('emissions:consumer:overflowed', () => ({
    consumer: name,
    policy: overflow,
    count,
    capacity,
  }));
  const why =
    count > capacity
      ? `the commit holds ${count} for it, more than ever fit: flush() in between, or raise its capacity`
      : waitedMs === undefined
        ? `its overflow policy is 'reject': make it faster, raise its capacity, or use 'wait' or a dropping policy`
        : `there was no room within ${waitedMs} ms (pipeline.waitTimeoutMs): make it faster, raise its capacity, or let it drop`;
  return new PipelineFullError(
    name,
    `The queue of the ${kind} ${name} is full (${capacity} emissions), and ${why}. Nothing of the commit was handed over.`,
  );
}
