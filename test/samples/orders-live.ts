import type { NestApplicationOptions, Type } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Emissions } from 'nestjs-emissions';
import { connect, type Client } from '../support/sockets.js';
import { loadSample } from './load-sample.js';

const { createApp } = await loadSample<{
  createApp(options: NestApplicationOptions): Promise<NestExpressApplication>;
}>('01-orders-live/src/create-app');
const { Pace } = await loadSample<{ Pace: Type<{ ms: number }> }>('01-orders-live/src/orders/pace');

export const HARBOUR = 'demo-harbour';
export const PINE = 'demo-pine';

/** An answer of the order desk. */
export interface Answer {
  readonly status: number;
  readonly body: any;
}

/** The sample, listening on a free port of 127.0.0.1; its handlers do not take their time. */
export interface OrdersLive extends AsyncDisposable {
  readonly url: string;
  readonly emissions: Emissions;
  call(token: string | undefined, method: string, path: string, body?: unknown): Promise<Answer>;
  /** A socket of the token's tenant that follows a channel. */
  follow(token: string, channel?: string): Promise<Client>;
}

export async function serveOrdersLive(): Promise<OrdersLive> {
  const app = await createApp({ logger: false });
  app.get(Pace, { strict: false }).ms = 0;
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    url,
    emissions: app.get(Emissions),
    async call(token, method, path, body) {
      const response = await fetch(url + path, {
        method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    },
    async follow(token, channel = '*') {
      const client = await connect(url, { token });
      const answer = await client.ask('subscribe', { channel });
      if (answer.ok !== true) throw new Error(answer.error.message);
      return client;
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
}
