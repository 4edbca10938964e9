import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Arrival } from 'nestjs-emissions/testing';

/** Where an adapter delivers to: takes what arrives, or refuses it as it was told. */
export class OtherEnd {
  readonly arrivals: Arrival[] = [];
  readonly #refusals: {
    which: (arrival: Arrival) => boolean;
    times: number;
    seen: Map<string, number>;
  }[] = [];

  refuse(which: (arrival: Arrival) => boolean, times: number): void {
    this.#refusals.push({ which, times, seen: new Map() });
  }

  /** Whether it refuses this one, this time. */
  refuses(arrival: Arrival): boolean {
    return this.#refusals.some(({ which, times, seen }) => {
      if (!which(arrival)) return false;
      const count = seen.get(arrival.id) ?? 0;
      seen.set(arrival.id, count + 1);
      return count < times;
    });
  }

  /** @throws when it refuses */
  take(arrival: Arrival): void {
    if (this.refuses(arrival)) throw new Error(`refused ${arrival.id}`);
    this.arrivals.push(arrival);
  }
}

/** The same behind HTTP: takes a batch, answers 207 with the ids it has refused, or 503 when these are all. */
export async function serveOtherEnd(
  end: OtherEnd,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => void answer(end, request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  end: OtherEnd,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const batch = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Arrival[];
  const refused = batch.filter((arrival) => end.refuses(arrival)).map(({ id }) => id);
  end.arrivals.push(...batch.filter(({ id }) => !refused.includes(id)));
  response.statusCode = refused.length === 0 ? 204 : refused.length < batch.length ? 207 : 503;
  response.end(refused.length === 0 ? undefined : JSON.stringify(refused));
}
