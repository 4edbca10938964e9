import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  Module,
  type MiddlewareConsumer,
  type ModuleMetadata,
  type NestModule,
  type Type,
} from '@nestjs/common';
import {
  EmissionsMiddleware,
  EmissionsModule,
  onSignal,
  type Emission,
  type EmissionsOptions,
} from 'nestjs-emissions';
import { Pipeline } from '../../lib/pipeline/pipeline.js';
import { RecordingAdapter } from './adapters.js';
import { SERVERS, serve, type RunningApp, type Server } from './app.js';
import { ask, type Answer, type Ask } from './http.js';
import { Commits } from './lab.js';

/** How requests get their buffers. */
export const INTEGRATIONS = ['interceptor', 'middleware'] as const;
export type Integration = (typeof INTEGRATIONS)[number];

/** What an HTTP promise holds on: every server with every integration. */
export const SITES: readonly (readonly [Server, Integration])[] = SERVERS.flatMap((server) =>
  INTEGRATIONS.map((integration) => [server, integration] as const),
);

/** An application that listens, all of whose emissions go to one adapter. */
export interface Site extends Pick<RunningApp, 'app' | 'emissions' | 'url'> {
  [Symbol.asyncDispose](): Promise<void>;
  ask(method: string, path: string, options?: Ask): Promise<Answer>;
  post(path: string, body?: unknown, options?: Ask): Promise<Answer>;
  readonly sink: RecordingAdapter;
  readonly commits: Commits;
  /** How many buffers have been started and not ended. */
  readonly live: number;
  /** What was delivered once everything has settled. */
  delivered(): Promise<readonly Emission[]>;
  /** The same, the names. */
  names(): Promise<string[]>;
}

/**
 * Serves controllers with `EmissionsInterceptor` on all of them, or with `EmissionsMiddleware` in front of all; and with
 * other middlewares around that, if wanted; or with `both` or `none` of the two.
 */
export async function site(
  server: Server,
  integration: Integration | 'both' | 'none',
  metadata: ModuleMetadata,
  options: EmissionsOptions = {},
  around: { before?: Handler; after?: Handler } = {},
): Promise<Site> {
  const sink = new RecordingAdapter();
  const buffers = countBuffers();
  const root = EmissionsModule.forRoot({
    ...options,
    adapters: [{ name: 'sink', useValue: sink }],
    interceptor: integration === 'interceptor' || integration === 'both' ? 'global' : 'manual',
  });
  const running = await serve(
    {
      ...metadata,
      imports: [
        ...(metadata.imports ?? []),
        ...(around.before === undefined ? [] : [standing(around.before)]),
        root,
        ...(integration === 'middleware' || integration === 'both' ? [Front] : []),
        ...(around.after === undefined ? [] : [standing(around.after)]),
      ],
    },
    server,
  );
  const commits = new Commits();
  running.app.get(Pipeline, { strict: false }).join(commits);
  const delivered = async (): Promise<readonly Emission[]> => {
    await running.emissions.settled();
    return sink.emissions;
  };
  const close = async (): Promise<void> => {
    buffers.stop();
    await running.close();
  };
  return {
    ...running,
    ask: (method, path, said) => ask(method, running.url + path, said),
    post: (path, body, said) => ask('POST', running.url + path, { ...said, body }),
    sink,
    commits,
    get live() {
      return buffers.live;
    },
    delivered,
    names: async () => (await delivered()).map(({ name }) => name),
    [Symbol.asyncDispose]: close,
  };
}

@Module({})
class Front implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(EmissionsMiddleware).forRoutes('{*path}');
  }
}

/** A middleware, as a function. */
export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
) => void;

/** A module that puts a middleware in front of all routes. */
function standing(handler: Handler): Type<NestModule> {
  @Module({})
  class Standing implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      consumer.apply(handler).forRoutes('{*path}');
    }
  }
  return Standing;
}

function countBuffers(): { readonly live: number; stop(): void } {
  let live = 0;
  const stops = [
    onSignal('emissions:buffer:started', () => live++),
    onSignal('emissions:buffer:committed', () => live--),
    onSignal('emissions:buffer:terminated', ({ savepoint }) => {
      if (!savepoint) live--;
    }),
  ];
  return {
    get live() {
      return live;
    },
    stop: () => stops.forEach((stop) => stop()),
  };
}
