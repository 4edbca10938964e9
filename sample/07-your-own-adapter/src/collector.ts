import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fromCloudEvent, type Emission } from 'nestjs-emissions';

/** Takes what is posted, and answers with the ids of what it refuses. */
export class Collector {
  readonly taken: Emission[] = [];
  /** Tells what to refuse. */
  refuses: (emission: Emission) => boolean = () => false;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  /** Gives its URL. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const lines = (await text(request)).split('\n').filter((line) => line !== '');
    const refused: string[] = [];
    for (const line of lines) {
      const emission = fromCloudEvent(JSON.parse(line));
      if (this.refuses(emission)) refused.push(emission.id);
      else this.taken.push(emission);
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(refused));
  }
}
