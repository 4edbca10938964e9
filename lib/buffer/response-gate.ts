import type { ServerResponse } from 'node:http';
import { HttpException, Logger } from '@nestjs/common';

/** Decides by the status that is about to be sent; a promise holds the response back, a throw turns it into an error. */
export interface ResponseGate {
  decide(status: number): void | Promise<void>;
  /** The connection was closed before there was anything to decide. */
  abandoned(): void;
}

type Head = Parameters<ServerResponse['writeHead']>;
type End = (...args: unknown[]) => ServerResponse;

const logger = new Logger('Emissions');

/**
 * Lets a decision stand between a response and its client, wherever the response comes from: a handler's value, an
 * exception filter, `@Res()`, another middleware.
 *
 * The decision is taken once, when the response ends, with its final status: for a response sent in one piece (nearly all)
 * that is before anything has left, so that it can still become an error; for a streamed one, before its last piece, and a
 * decision that fails cuts the connection, so that the client does not take it for complete.
 */
export function gateResponse(response: ServerResponse, gate: ResponseGate): void {
  const { end, writeHead, write, flushHeaders } = response;
  let head: Head | undefined;
  let decided = false;

  /** Sends the head that was held back. */
  const release = (): void => {
    Object.assign(response, { writeHead, write, flushHeaders });
    if (head !== undefined) writeHead.apply(response, head);
    head = undefined;
  };
  const held = (...args: Head): ServerResponse => {
    head = args;
    response.statusCode = args[0];
    return response;
  };
  const finish = (args: unknown[], status: number): ServerResponse => {
    if (!response.headersSent) response.statusCode = status;
    release();
    Object.assign(response, { end });
    return (end as unknown as End).apply(response, args);
  };
  const fail = (error: unknown): void => {
    if (response.headersSent) {
      logger.error(
        'The commit failed after the response had begun; its connection is cut.',
        stackOf(error),
      );
      response.destroy();
      return;
    }
    const { status, body } = describe(error);
    if (status >= 500)
      logger.error(`The commit failed; the request answers ${status}.`, stackOf(error));
    keepHeaders(response, head);
    head = undefined;
    release();
    Object.assign(response, { end });
    response.statusCode = status;
    response.setHeader('content-type', 'application/json; charset=utf-8');
    response.end(JSON.stringify(body));
  };

  Object.assign(response, {
    writeHead: held,
    write: (...args: Parameters<typeof write>): boolean => {
      release();
      return write.apply(response, args);
    },
    flushHeaders: (): void => {
      release();
      flushHeaders.call(response);
    },
    end: (...args: unknown[]): ServerResponse => {
      if (decided) return response;
      decided = true;
      const status = response.statusCode;
      let waiting: void | Promise<void>;
      try {
        waiting = gate.decide(status);
      } catch (error) {
        fail(error);
        return response;
      }
      if (waiting === undefined) return finish(args, status);
      waiting.then(() => finish(args, status), fail);
      return response;
    },
  });
  response.once('close', () => {
    if (!decided) gate.abandoned();
  });
}

/** Headers that describe the body that is not sent. */
const OF_THE_BODY = /^(?:content-|etag$|transfer-encoding$|last-modified$)/i;

/** An error response keeps what does not describe the body: the headers of CORS, cookies, request ids. */
function keepHeaders(response: ServerResponse, head: Head | undefined): void {
  const given = head?.find((arg) => typeof arg === 'object' && !Array.isArray(arg)) as
    | Record<string, string>
    | undefined;
  for (const [name, value] of Object.entries(given ?? {})) response.setHeader(name, value);
  for (const name of response.getHeaderNames())
    if (OF_THE_BODY.test(name)) response.removeHeader(name);
}

/** As Nest's own exception filter would answer. */
function describe(error: unknown): { status: number; body: object } {
  if (error instanceof HttpException) {
    const status = error.getStatus();
    const answer = error.getResponse();
    return {
      status,
      body: typeof answer === 'object' ? answer : { statusCode: status, message: answer },
    };
  }
  const { statusCode, expose, message } = (error ?? {}) as {
    statusCode?: number;
    expose?: boolean;
    message?: string;
  };
  if (typeof statusCode === 'number' && statusCode >= 400 && expose === true) {
    return { status: statusCode, body: { statusCode, message } };
  }
  return { status: 500, body: { statusCode: 500, message: 'Internal server error' } };
}

function stackOf(error: unknown): unknown {
  return error instanceof Error ? error.stack : error;
}
