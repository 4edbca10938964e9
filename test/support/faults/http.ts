import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { WebhookAdapter } from 'nestjs-emissions/webhook';
import { emissionOf } from '../brokers.js';
import {
  ANSWER_MS,
  type FaultyDestination,
  type FaultyServer,
  type Numbered,
} from './destination.js';

/** By path, who receives what is posted there. */
const receivers = new Map<string, RequestListener>();

/** A receiver of webhooks. */
export const HTTP: FaultyServer = {
  name: 'a receiver of webhooks',
  start: async () => {
    let server: Server;
    const listen = async (port: number): Promise<void> => {
      server = createServer((request, response) => receivers.get(request.url!)!(request, response));
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    };
    await listen(0);
    const { port } = server!.address() as AddressInfo;
    const kill = (): void => {
      server.close();
      server.closeAllConnections();
    };
    return { port, kill, start: () => listen(port), [Symbol.asyncDispose]: async () => kill() };
  },
  destinations: [webhook],
};

let paths = 0;

async function webhook(): Promise<FaultyDestination> {
  const path = `/hooks/${++paths}`;
  const arrived: Numbered[] = [];
  receivers.set(path, (request, response) => {
    const taken = buffer(request).then((body) => {
      arrived.push(emissionOf({ headers: request.headers, body }).payload as Numbered);
      response.end();
    });
    // What was cut off has not arrived.
    taken.catch(() => {});
  });
  return {
    name: 'webhook',
    promise: { keeps: 'everything', repeats: 'what was tried again' },
    adapter: (through) =>
      new WebhookAdapter({
        endpoints: [
          {
            url: `http://127.0.0.1:${through}${path}`,
            secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
          },
        ],
        ...{ allow: ['127.0.0.0/8'], allowHttp: true, timeoutMs: ANSWER_MS },
      }),
    arrivals: async () => arrived,
    [Symbol.asyncDispose]: async () => void receivers.delete(path),
  };
}
