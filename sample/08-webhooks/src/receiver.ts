import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';

/** What a customer runs: takes what is signed with his secret, and answers 401 to everything else. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  /** What he was told, in order, each once. */
  readonly events: { readonly id: string; readonly type: string; readonly data: unknown }[];
  /** The one that he knows. */
  secret: string;
}

/** Starts one on a free port of this machine. */
export async function startReceiver(): Promise<Receiver> {
  const seen = new Set<string>();
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      try {
        const headers = request.headers as Record<string, string>;
        const event = new Webhook(receiver.secret).verify(body, headers) as never;
        const id = headers['webhook-id']!;
        if (!seen.has(id)) receiver.events.push(event);
        // An answer may get lost, and the same come again.
        seen.add(id);
        response.end();
      } catch {
        response.writeHead(401).end();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`,
    events: [],
    secret: '',
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
