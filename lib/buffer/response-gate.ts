import { validateHeaderValue, type ServerResponse } from 'node:http';
import { Logger } from '@nestjs/common';
import { answerFailure, type Head } from './commit-failure.js';

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
  if (response.destroyed) return gate.abandoned();
  const end = response.end as Method;
  const writeHead = response.writeHead as Method;
  const write = response.write as Method;
  const flushHeaders = response.flushHeaders as Method;
  let state: 'held' | 'begun' | 'deciding' | 'over' = 'held';
  let head: Head | undefined;

  const release = (next: 'begun' | 'over'): void => {
    state = next;
    if (head !== undefined) writeHead.apply(response, head);
    head = undefined;
  };
  const wait = (decision: Promise<void>, args: unknown[]): void => {
    state = 'deciding';
    const status = response.statusCode;
    const uncover = coverAsSent(response);
    decision.then(
      () => {
        uncover();
        if (!response.headersSent) response.statusCode = status;
        release('over');
        end.apply(response, args);
      },
      (error: unknown) => {
        uncover();
        state = 'over';
        if (!response.headersSent) return answerFailure(response, head, error, gate.failed);
        logger.error('The commit failed after the response had begun; it is cut off.', error);
        response.destroy();
      },
    );
  };

  response.writeHead = (...args: unknown[]): ServerResponse => {
    if (state !== 'held') return writeHead.apply(response, args);
    head = checked(args as Head);
    response.statusCode = head[0];
    return response;
  };
  response.write = (...args: unknown[]): boolean => {
    if (state === 'deciding') return false;
    if (state === 'held') release('begun');
    return write.apply(response, args);
  };
  response.flushHeaders = (): void => {
    if (state === 'held') release('begun');
    if (state !== 'deciding') flushHeaders.call(response);
  };
  response.end = (...args: unknown[]): ServerResponse => {
    if (state === 'deciding') return response;
    if (state === 'over') return end.apply(response, args);
    let decision: void | Promise<void>;
    try {
      decision = gate.decide(response.statusCode, args[0]);
    } catch (error) {
      decision = Promise.reject(error as Error);
    }
    if (decision !== undefined) {
      wait(decision, args);
      return response;
    }
    release('over');
    return end.apply(response, args);
  };
  response.once('close', () => {
    if (state === 'held' || state === 'begun') gate.abandoned();
  });
}

/** What is held back is refused where it is said, as without a gate; it would be too late when it is sent. */
function checked(head: Head): Head {
  const headers = typeof head[1] === 'string' ? head[2] : head[1];
  if (typeof headers !== 'object' || Array.isArray(headers)) return head;
  for (const name in headers) {
    const value = (headers as Record<string, string>)[name];
    if (typeof value === 'string') validateHeaderValue(name, value);
  }
  return head;
}

/** Makes a response that is held back look sent: frameworks answer again when they think that nobody has. */
function coverAsSent(response: ServerResponse): () => void {
  const refuse = (): never => {
    throw Object.assign(new Error('Cannot change headers after they are sent to the client'), {
      code: 'ERR_HTTP_HEADERS_SENT',
    });
  };
  const covers: Record<string, unknown> = {
    headersSent: true,
    writableEnded: true,
    writeHead: refuse,
    setHeader: refuse,
    setHeaders: refuse,
    appendHeader: refuse,
    removeHeader: refuse,
  };
  const covered = Object.keys(covers).map(
    (name) => [name, Object.getOwnPropertyDescriptor(response, name)] as const,
  );
  for (const [name, value] of Object.entries(covers)) {
    Object.defineProperty(response, name, { value, configurable: true });
  }
  return () => {
    for (const [name, before] of covered) {
      if (before !== undefined) Object.defineProperty(response, name, before);
      else delete (response as unknown as Record<string, unknown>)[name];
    }
  };
}
