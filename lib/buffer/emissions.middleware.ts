import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, type NestMiddleware, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost, ModuleRef } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { BufferContext } from './buffer.context.js';
import { throwAt } from './commit-failure.js';
import { HttpOutcome } from './http-outcome.js';
import { RequestOptions } from './request.options.js';

/**
 * Does for whole applications what the interceptor does for routes, from before the guards on and at a fraction of the
 * cost (Nest calls an interceptor through several promises and observables):
 *
 * ```ts
 * configure(consumer: MiddlewareConsumer) { consumer.apply(EmissionsMiddleware).forRoutes('{*path}'); }
 * ```
 *
 * It ends the unit when the response is about to be sent, or, for a streamed one, about to end; let it stand behind what
 * makes streams of responses, such as compression, so that a failed commit can still be answered. A commit that fails is
 * answered by the global exception filters; it knows no route and no filters of one. `@Buffered` and `@Unbuffered` work on
 * routes as with the interceptor. A handler that fails after the head of its response has left it does not see, and of GraphQL
 * statuses only: use the interceptor there, also beside it.
 */
@Injectable()
export class EmissionsMiddleware
  implements NestMiddleware<IncomingMessage, ServerResponse>, OnModuleInit
{
  constructor(
    private readonly buffers: BufferContext,
    private readonly options: RequestOptions,
    private readonly moduleRef: ModuleRef,
    private readonly server: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    const { httpAdapter } = this.server;
    if (httpAdapter?.getType() !== 'fastify') return;
    this.#followFastify(httpAdapter.getInstance<Fastify>());
  }

  use(request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void): void {
    if (this.buffers.isActive) return next();
    const { http, context: stamp } = this.options;
    const args = [request, response, next];
    const context = new ExecutionContextHost(args);
    const outcome = new HttpOutcome(this.buffers, response, {
      buffered: !http.skipMethods.includes(request.method ?? ''),
      shouldCommit: http.shouldCommit,
      stamp: stamp && (() => stamp(context)),
      failed: (error) => throwAt(context, this.moduleRef, error),
      args,
    }).mark();
    this.buffers.enter(outcome.unit, next);
  }

  /** A middleware sees Node's own request and response; guards and handlers, and so the context, Fastify's. */
  #followFastify(fastify: Fastify): void {
    const { mark } = this.buffers;
    if (Object.hasOwn(fastify, mark)) return;
    Object.defineProperty(fastify, mark, { value: true });
    fastify.addHook('preValidation', (request, reply, done) => {
      const args = HttpOutcome.of(this.buffers, reply.raw)?.args;
      if (args !== undefined) {
        args[0] = request;
        args[1] = reply;
      }
      done();
    });
  }
}

/** What is used of a Fastify instance. */
interface Fastify {
  addHook(
    name: 'preValidation',
    hook: (request: object, reply: { raw: ServerResponse }, done: () => void) => void,
  ): void;
}
