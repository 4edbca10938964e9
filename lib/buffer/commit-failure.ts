import { STATUS_CODES, type ServerResponse } from 'node:http';
import { HttpException, Logger, type ExecutionContext, type Type } from '@nestjs/common';
import type { ContextId, ModuleRef, NestContainer } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { RouterExceptionFilters } from '@nestjs/core/router/router-exception-filters.js';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';

const logger = new Logger('Emissions');

/** Headers that describe the body that is not sent. */
const OF_THE_BODY =
  /^(?:content-(?:type|length|encoding|language|location|range|disposition|md5|digest)|etag|last-modified|transfer-encoding|trailer)$/i;

/** Headers as `writeHead` takes them: an object, pairs, or names and values in turn. */
export type Head = [status: number, ...(string | object | undefined)[]];

/**
 * Answers a request whose commit failed, in place of what was about to be sent. What does not describe the body stays: the
 * headers of CORS, cookies, request ids.
 *
 * @param head what `writeHead` was called with, when it was
 * @param filters answers by the exception filters of the route; without it, or when it throws, Nest's own answer is given
 */
export function answerFailure(
  response: ServerResponse,
  head: Head | undefined,
  error: unknown,
  filters: ((error: unknown) => void) | undefined,
): void {
  keepHeaders(response, head);
  if (filters !== undefined) {
    try {
      filters(error);
      return;
    } catch (thrown) {
      if (response.headersSent) return;
      error = thrown;
    }
  }
  const { status, body } = describeFailure(error);
  if (status >= 500) logger.error(`The commit failed; the request answers ${status}.`, error);
  const text = JSON.stringify(body);
  response.statusCode = status;
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

/**
 * Sends an error to the exception filters, as if the handler had thrown it: those of the route, and the global ones; just
 * these when the context knows no route.
 */
export function throwAt(context: ExecutionContext, moduleRef: ModuleRef, error: unknown): void {
  const { container } = moduleRef as unknown as { container: NestContainer };
  const controller = context.getClass() as Type | null;
  const modules = [...container.getModules()];
  const [moduleKey] = modules.find(([, module]) => module.controllers.has(controller!)) ?? [];
  const request = context.getArgByIndex<Record<symbol, ContextId | undefined>>(0);
  // Fastify's reply has headers of its own.
  dropHeadersOfTheBody(context.getArgByIndex<Headed>(1));
  const filters = new RouterExceptionFilters(
    container,
    container.applicationConfig!,
    container.getHttpAdapterRef(),
  ).create(
    Object.create((controller ?? Object).prototype as object) as object,
    (context.getHandler() as (() => never) | null) ?? NO_ROUTE,
    moduleKey,
    request[REQUEST_CONTEXT_ID],
  );
  filters.next(error as Error, new ExecutionContextHost(context.getArgs()));
}

const NO_ROUTE = (): never => {
  throw new Error('unreachable');
};

function keepHeaders(response: ServerResponse, head: Head | undefined): void {
  for (const [name, value] of headersOf(head)) response.setHeader(name, value);
  dropHeadersOfTheBody(response);
  // The status line's text was that of the other status.
  response.statusMessage = undefined as unknown as string;
}

interface Headed {
  getHeaders(): object;
  removeHeader(name: string): unknown;
}

function dropHeadersOfTheBody(response: Headed): void {
  for (const name of Object.keys(response.getHeaders()))
    if (OF_THE_BODY.test(name)) response.removeHeader(name);
}

/** The headers given to `writeHead`. */
export function headersOf(head: Head | undefined): [string, string][] {
  const given = head?.slice(1).find((arg) => typeof arg === 'object');
  if (!Array.isArray(given)) return Object.entries((given ?? {}) as Record<string, string>);
  if (Array.isArray(given[0])) return given as [string, string][];
  const pairs = Map.groupBy(given.keys(), (i) => i >> 1);
  return [...pairs.values()].map(([name, value]) => [given[name!], given[value!]] as never);
}

/** As Nest's own exception filter would answer. */
export function describeFailure(error: unknown): { status: number; body: object } {
  if (error instanceof HttpException) {
    const status = error.getStatus();
    const answer = error.getResponse();
    return {
      status,
      body: typeof answer === 'object' ? answer : { statusCode: status, message: answer },
    };
  }
  const { status, statusCode, expose, message } = Object(error) as Record<string, unknown>;
  if (typeof statusCode === 'number' && status === statusCode && typeof expose === 'boolean') {
    return {
      status: statusCode,
      body: { statusCode, message: expose ? message : STATUS_CODES[statusCode] },
    };
  }
  return { status: 500, body: { statusCode: 500, message: 'Internal server error' } };
}
