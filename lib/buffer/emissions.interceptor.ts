import type { ServerResponse } from 'node:http';
import {
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import { BufferContext } from './buffer.context.js';
import { graphqlCallOf, GraphqlOperations, type GraphqlUnit } from './graphql-operation.js';
import { HttpOutcome } from './http-outcome.js';
import { RequestOptions } from './request.options.js';
import { routeOf, statusAhead } from './route.js';
import type { UnitOfWork } from './unit-of-work.js';
import { within, type Ending } from './within.js';

/**
 * Gives every request, message and GraphQL mutation a buffer, commits it when it succeeds and terminates it when it fails.
 *
 * - HTTP: methods of `http.skipMethods` get none. The status that is sent decides (`http.shouldCommit`). The response waits
 *   for the commit; a commit that fails goes through the exception filters where the handler returned a value, and is
 *   answered directly (5xx, or the error's own status) where the response was sent by hand or by a filter.
 * - RPC and WebSocket messages: one buffer each, committed when the handler completes.
 * - GraphQL: one buffer per operation, mutations only; committed with the response, unless one of its resolvers threw.
 *
 * Use it with `@UseInterceptors(EmissionsInterceptor)` or, for all, with the option `interceptor: 'global'`. Where a buffer
 * is active already, it does nothing.
 */
@Injectable()
export class EmissionsInterceptor implements NestInterceptor {
  constructor(
    private readonly buffers: BufferContext,
    private readonly options: RequestOptions,
    private readonly operations: GraphqlOperations,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (this.buffers.isActive) return next.handle();
    switch (context.getType<string>()) {
      case 'http':
        return this.#http(context, next);
      case 'graphql':
        return this.#graphql(context, next);
      default:
        return within(this.buffers, next, () => this.#message(context));
    }
  }

  #http(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const route = routeOf(context);
    const http = context.switchToHttp();
    const response = http.getResponse<{ statusCode: number; raw?: ServerResponse }>();
    return within(this.buffers, next, () => {
      const outcome = new HttpOutcome(
        this.buffers,
        this.options.http,
        http.getRequest(),
        () => this.options.context?.(context),
        route.buffering,
      ).watch(response.raw ?? (response as unknown as ServerResponse));
      const ending: Ending = {
        completed: (result) => {
          const status = statusAhead(route, result, response);
          return status === undefined ? undefined : outcome.end(status);
        },
        // What the client gets is up to the exception filters: the response decides.
        failed: () => {},
        abandoned: () => {},
      };
      return { unit: outcome.unit, ending };
    });
  }

  #message(context: ExecutionContext): { unit: UnitOfWork; ending: Ending } {
    const unit = this.buffers.begin({
      buffered: true,
      stamp: () => this.options.context?.(context),
    });
    return {
      unit,
      ending: {
        completed: () => commit(unit),
        failed: () => void unit.buffer?.terminate(),
        abandoned: () => void unit.buffer?.terminate(),
      },
    };
  }

  #graphql(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const call = graphqlCallOf(context);
    const { response } = call;
    if (call.operation !== 'mutation') {
      const stamp = () => this.options.context?.(context);
      return within(this.buffers, next, () => ({
        unit: this.buffers.begin({ buffered: false, stamp }),
        ending: NOTHING,
      }));
    }
    if (call.context === undefined || response === undefined) {
      return within(this.buffers, next, () => this.#message(context));
    }
    const operation = this.#operationOf(call.context, context, response);
    return within(this.buffers, next, () => ({
      unit: operation.outcome.unit,
      ending: { ...NOTHING, failed: () => void (operation.failed = true) },
    }));
  }

  /** All resolvers of one operation share a unit, which ends with the response. */
  #operationOf(key: object, context: ExecutionContext, response: ServerResponse): GraphqlUnit {
    const known = this.operations.get(key);
    if (known !== undefined) return known;
    const { http } = this.options;
    const operation: GraphqlUnit = {
      failed: false,
      outcome: new HttpOutcome(
        this.buffers,
        http,
        { method: 'POST' },
        () => this.options.context?.(context),
        {
          buffered: true,
          shouldCommit: (status) => !operation.failed && http.shouldCommit(status),
        },
      ).watch(response),
    };
    this.operations.set(key, operation);
    return operation;
  }
}

const NOTHING: Ending = { completed: () => {}, failed: () => {}, abandoned: () => {} };

function commit(unit: UnitOfWork): void | Promise<void> {
  if (unit.buffer?.isOpen !== true) return;
  const committed = unit.buffer.commit();
  if (typeof committed !== 'number') return committed.then(() => {});
}
