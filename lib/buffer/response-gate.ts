import { validateHeaderValue, type ServerResponse } from 'node:http';
import { Logger } from '@nestjs/common';
import { answerFailure, headersOf, type Head } from './commit-failure.js';
import { coverAsSent } from './sent-cover.js';

/** Decides by the status that is about to be sent; a promise holds the response back, a throw turns it into an error. */
export interface ResponseGate {
  decide(status: number, body: unknown): void | Promise<void>;
  /** The connection was closed before there was anything to decide. */
  abandoned(): void;
  /** Answers a request whose decision failed, when that is not to be Nest's own answer. */
  readonly failed: ((error: unknown) => void) | undefined;
}

type Method = (...args: unknown[]) => never;

const logger = new Logger('Emissions');

/**
 * Lets a decision stand between a response and its client, wherever the response comes from: a handler's value, an
 * exception filter, `@Res()`, another middleware.
 *
 * ```
 *   held ──write, flushHeaders──▶ begun
 *     └────────────end──────────────┴──▶ deciding ──▶ over
 * ```
 *
 * The decision is taken once, when the response ends, with its final status: for a response sent in one piece (nearly all)
 * that is before anything has left, so that it can still become an error; for a streamed one, before its last piece, and a
 * decision that fails cuts the connection, so that the client does not take it for complete. While a decision waits, the
 * response looks sent to everybody else.
 */
export function gateResponse(response: ServerResponse, gate: ResponseGate): void {
  if (isGone(response)) return gate.abandoned();
  const end = response.end as Method;
  const writeHead = response.writeHead as Method;
  const write = response.write as Method;
  const flushHeaders = response.flushHeaders as Method;
  let state: 'held' | 'begun' | 'deciding' | 'over' = response.headersSent ? 'begun' : 'held';
  let head: Head | undefined;
  /** How many bytes of the body are to come, when that was announced. */
  let left: number | undefined;
  /** The last piece of a body whose length was announced: with it, the client has it all. */
  let last: unknown[] | undefined;

  const begin = (): void => {
    if (state !== 'held') return;
    state = 'begun';
    if (head !== undefined) writeHead.apply(response, head);
  };
  const finish = (args: unknown[]): never => {
    begin();
    state = 'over';
    if (last !== undefined) write.apply(response, last);
    return end.apply(response, args);
  };
  const wait = (decision: Promise<void>, args: unknown[]): void => {
    const before = state;
    state = 'deciding';
    const status = response.statusCode;
    const uncover = coverAsSent(response);
    decision.then(
      () =>
        orCut(response, () => {
          uncover();
          state = before;
          if (before === 'held') response.statusCode = status;
          finish(args);
        }),
      (error: unknown) =>
        orCut(response, () => {
          uncover();
          state = 'over';
          if (before === 'held') return answerFailure(response, head, error, gate.failed);
          logger.error('The commit failed after the response had begun; it is cut off.', error);
          response.destroy();
        }),
    );
  };

  // Assigned one by one, V8 keeps every response until the next major collection.
  Object.assign(response, {
    writeHead: (...args: unknown[]): ServerResponse => {
      if (state !== 'held') return writeHead.apply(response, args);
      head = checked(args as Head);
      response.statusCode = head[0];
      return response;
    },
    write: (...args: unknown[]): boolean => {
      if (state === 'deciding') return false;
      if (state === 'over') return write.apply(response, args);
      left ??= lengthOf(response, head);
      left -= sizeOf(args);
      const previous = last;
      last = left <= 0 ? withoutCallback(args) : undefined;
      if (previous === undefined && last !== undefined) return true;
      begin();
      return write.apply(response, previous ?? args);
    },
    flushHeaders: (): void => {
      begin();
      if (state !== 'deciding') flushHeaders.call(response);
    },
    end: (...args: unknown[]): ServerResponse => {
      if (state === 'deciding') return response;
      if (state === 'over') return end.apply(response, args);
      if (isGone(response)) gate.abandoned();
      let decision: void | Promise<void>;
      try {
        decision = gate.decide(response.statusCode, last?.[0] ?? args[0]);
      } catch (error) {
        decision = Promise.reject(error as Error);
      }
      if (decision === undefined) return finish(args);
      wait(decision, args);
      return response;
    },
  });
  // It comes once. With `once` the listener would be taken away before it is called, which costs twice as much.
  response.on('close', () => {
    if (state === 'held' || state === 'begun') gate.abandoned();
  });
}

/** Whether the connection has closed; a response that waits for its turn on it may not be told. */
function isGone({ destroyed, req }: ServerResponse): boolean {
  return destroyed || req?.socket?.destroyed === true;
}

/** What is held back is refused where it is said, as without a gate; it would be too late when it is sent. */
function checked(head: Head): Head {
  const headers = typeof head[1] === 'string' ? head[2] : head[1];
  if (typeof headers !== 'object' || Array.isArray(headers)) return head;
  for (const name in headers) {
    const value = (headers as Record<string, unknown>)[name];
    if (typeof value === 'string') validateHeaderValue(name, value);
  }
  return head;
}

/** The length of the body, when it was announced; else there is no end of it. */
function lengthOf(response: ServerResponse, head: Head | undefined): number {
  const said =
    headersOf(head).find(([name]) => name.toLowerCase() === 'content-length')?.[1] ??
    response.getHeader('content-length');
  return said === undefined ? Infinity : Number(said);
}

function sizeOf([chunk, encoding]: unknown[]): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk, encoding as BufferEncoding);
  return chunk instanceof Uint8Array ? chunk.byteLength : 0;
}

/** Whoever waits for a piece to be written before the response ends is not to wait for its end. */
function withoutCallback(args: unknown[]): unknown[] {
  for (const arg of args) if (typeof arg === 'function') process.nextTick(arg as () => void);
  return args.filter((arg) => typeof arg !== 'function');
}

/** Nobody catches what is thrown behind a decision that had to wait: the client must not wait for ever then. */
function orCut(response: ServerResponse, answer: () => void): void {
  try {
    answer();
  } catch (error) {
    logger.error(
      'A response that had waited for its commit could not be sent; it is cut off.',
      error,
    );
    response.destroy();
  }
}
