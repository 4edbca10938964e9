import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { Emissions } from 'nestjs-emissions';

/** The HTTP servers every HTTP promise holds on. */
export const SERVERS = ['express', 'fastify'] as const;
export type Server = (typeof SERVERS)[number];

/** A running application and what tests ask of it. */
export interface RunningApp extends AsyncDisposable {
  readonly app: INestApplication;
  readonly emissions: Emissions;
  /** Where it listens, on loopback. Only after `listen`. */
  readonly url: string;
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Response>;
  close(): Promise<void>;
}

/** Builds and initializes an application without a server; quiet, as logs of provoked failures would drown the report. */
export async function start(metadata: ModuleMetadata): Promise<RunningApp> {
  const app = (await Test.createTestingModule(metadata).compile()).createNestApplication({
    logger: false,
  });
  await app.init();
  return running(app, '');
}

/** The same, listening on a free port of 127.0.0.1. */
export async function serve(
  metadata: ModuleMetadata,
  server: Server = 'express',
): Promise<RunningApp> {
  const module = await Test.createTestingModule(metadata).compile();
  const app =
    server === 'express'
      ? module.createNestApplication({ logger: false })
      : module.createNestApplication(new FastifyAdapter(), { logger: false });
  await app.listen(0, '127.0.0.1');
  return running(app, await app.getUrl());
}

function running(app: INestApplication, url: string): RunningApp {
  const close = () => app.close();
  return {
    app,
    url,
    emissions: app.get(Emissions),
    request: (method, path, body, headers = {}) =>
      fetch(url + path, {
        method,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      }),
    close,
    [Symbol.asyncDispose]: close,
  };
}
