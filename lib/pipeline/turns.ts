import { AsyncResource } from 'node:async_hooks';

/** Something that has work to do and gets a turn for it. */
export interface Runnable {
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
  readonly #outside = new AsyncResource('nestjs-emissions');
  #waiting: Runnable[] = [];
  #armed = false;

  /** The runnable must see to it that it is not scheduled twice. */
  schedule(runnable: Runnable): void {
    this.#waiting.push(runnable);
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(this.#round);
  }

  readonly #round = (): void => this.#outside.runInAsyncScope(() => this.#serve());

  #serve(): void {
    const round = this.#waiting;
    this.#waiting = [];
    this.#armed = false;
    for (const runnable of round) runnable.turn();
  }
}
