import type { ServerResponse } from 'node:http';
import { commit, type BufferContext } from './buffer.context.js';
import { gateResponse, type ResponseGate } from './response-gate.js';
import type { HttpUnit, UnitContext, UnitOfWork } from './unit-of-work.js';

/** How the unit of work of one request begins and ends. */
export interface HttpOutcomeOptions {
  /** Whether it has a buffer from the beginning. */
  buffered: boolean;
  shouldCommit: (status: number) => boolean;
  stamp: (() => UnitContext | undefined) | undefined;
  /** Answers when the commit failed. */
  failed?: (error: unknown) => void;
  /** Whether the body tells of a failure that the status does not. */
  failedBy?: (body: unknown) => boolean;
  /** What the execution context holds, when more than the server's own objects is found later. */
  args?: unknown[];
}

/**
 * The unit of work of an HTTP request: it ends with the response, by the status that is sent, however the response comes
 * about. A request without a buffer costs no watching; it is watched from when it gets one.
 */
export class HttpOutcome implements HttpUnit, ResponseGate {
  readonly failed: ((error: unknown) => void) | undefined;
  readonly args: unknown[] | undefined;
  shouldCommit: (status: number) => boolean;
  readonly #buffers: BufferContext;
  readonly #response: ServerResponse;
  readonly #failedBy: ((body: unknown) => boolean) | undefined;
  #unit: UnitOfWork;
  #watched = false;
  #attempts = 0;

  constructor(buffers: BufferContext, response: ServerResponse, options: HttpOutcomeOptions) {
    this.#buffers = buffers;
    this.#response = response;
    this.#failedBy = options.failedBy;
    this.shouldCommit = options.shouldCommit;
    this.failed = options.failed;
    this.args = options.args;
    this.#unit = buffers.begin({ buffered: options.buffered, stamp: options.stamp, http: this });
    if (options.buffered) this.watch();
  }

  /** The outcome that a request got earlier: from the middleware, or in an earlier attempt. */
  static of(buffers: BufferContext, response: ServerResponse): HttpOutcome | undefined {
    return (response as unknown as Outcomes)[buffers.mark];
  }

  get unit(): UnitOfWork {
    return this.#unit;
  }

  /** Lets `of` find it. */
  mark(): this {
    (this.#response as unknown as Outcomes)[this.#buffers.mark] = this;
    return this;
  }

  /** The unit for one call of the handler; when it is called again, what the earlier call emitted is discarded. */
  attempt(): UnitOfWork {
    const { buffer } = this.#unit;
    if (this.#attempts++ > 0 && buffer !== undefined) {
      buffer.terminate();
      if (!this.#response.writableEnded)
        this.#unit = { ...this.#unit, buffer: this.#buffers.open() };
    }
    return this.#unit;
  }

  watch(): void {
    if (this.#watched) return;
    this.#watched = true;
    gateResponse(this.#response, this);
  }

  /** Commits or terminates, unless that has been done by hand; a promise when the commit has to wait. */
  decide(status: number, body: unknown): void | Promise<void> {
    const { buffer } = this.#unit;
    // Somebody has begun to commit it by hand, and perhaps does not wait for that: the response does.
    if (buffer?.state === 'committing') return buffer.handingOver;
    if (buffer?.isOpen !== true) return;
    let committing = false;
    try {
      committing = this.shouldCommit(status) && this.#failedBy?.(body) !== true;
    } finally {
      if (!committing) buffer.terminate();
    }
    if (committing) return commit(this.#unit) as Promise<void> | undefined;
  }

  /** Nobody gets the response any more, or one that broke off: it failed, whatever its head says. */
  abandoned(): void {
    this.#unit.buffer?.terminate();
  }
}

type Outcomes = Record<symbol, HttpOutcome | undefined>;
