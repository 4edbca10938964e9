// Not the global ones: a test that stops the clock does not mean to stop deliveries.
import { performance } from 'node:perf_hooks';
import { nextTick } from 'node:process';
import { setImmediate } from 'node:timers';
import { Logger } from '@nestjs/common';
import { asyncScope } from '../emission/async-scope.js';
import { loggable } from '../emission/thrown.js';

/** How long a round may take before the event loop sees to others, in milliseconds. */
const A_ROUND_MS = 1;

/** Something that has work to do and gets a turn for it. */
export interface Runnable {
  /** Who has the lower number goes first within a round. */
  readonly priority: number;
  /** Works for a bounded time. */
  turn(): void;
}

/**
 * Gives everyone who has work a turn, once per round of the event loop, outside the async context of whoever caused it.
 *
 * One immediate serves all: commits of one round are handed on together (so that batches fill up under load), and a
 * response is written before the work it caused begins.
 */
export class Turns {
  // Made while the application is built: the context of no request.
  readonly #outside = asyncScope('nestjs-emissions');
  readonly #logger = new Logger('Emissions');
  readonly #opening: () => boolean;
  #waiting: Runnable[] = [];
  #sorted = true;
  #called = false;
  #began = 0;

  /** @param opening begins every round, and tells whether it wants another; what it schedules gets its turn in this one */
  constructor(opening: () => boolean = () => false) {
    this.#opening = opening;
  }

  /** Sees to it that there is a round, soon. */
  call(): void {
    if (this.#called) return;
    this.#called = true;
    this.#outside.runInAsyncScope(setImmediate, undefined, this.#serve);
  }

  /** Whether the round has not taken long yet, with all that its promises led to: one may go on without a further one. */
  get isYoung(): boolean {
    return performance.now() - this.#began < A_ROUND_MS;
  }

  /** The runnable must see to it that it is not scheduled twice. */
  schedule(runnable: Runnable): void {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.priority > runnable.priority) this.#sorted = false;
    this.#waiting.push(runnable);
    this.call();
  }

  /**
   * Calls `arm` in the context of no request, to start a timer whose callback is to run there. Not for the code of
   * applications: what that puts into the context would stay in it.
   */
  outside<T>(arm: () => T): T {
    return this.#outside.runInAsyncScope(arm);
  }

  readonly #serve = (): void => {
    this.#began = performance.now();
    this.#open();
  };

  readonly #open = (): void => {
    const more = this.#begin();
    // What promises wait for nothing but each other settles in between.
    if (more && this.isYoung) return void Promise.resolve().then(this.#reopen);
    this.#called = false;
    if (more) this.call();
    const round = this.#waiting;
    if (!this.#sorted) round.sort((a, b) => a.priority - b.priority);
    this.#waiting = [];
    this.#sorted = true;
    for (const runnable of round) this.#turn(runnable);
  };

  /** What nobody foresaw here is not to keep rounds from coming: there may be more. */
  #begin(): boolean {
    try {
      return this.#opening();
    } catch (error) {
      this.#failed(error);
      return true;
    }
  }

  #failed(error: unknown): void {
    this.#logger.error('A consumer failed to work.', loggable(error));
  }

  /** What nobody foresaw in one's turn is not to cost the others theirs. */
  #turn(runnable: Runnable): void {
    try {
      runnable.turn();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Behind all microtasks there are, and those they lead to. */
  readonly #reopen = (): void => nextTick(this.#open);
}
