import type { AsyncLocalStorage } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Ledger } from './ledger.js';

const HEADER = 'x-emissions-test';
const LOOPBACK = /^(?:\[?::1\]?|127\.\d+\.\d+\.\d+|localhost)(?::\d+)?$/;

/** What undici says of a request that `fetch` is about to send. */
interface FetchedRequest {
  readonly origin?: string | URL;
  addHeader(name: string, value: string): void;
}

/**
 * Carries a test through HTTP: a server works in the context of whoever opened its port, not of who asks. Requests that a test
 * sends to this machine, by `fetch` or `node:http` (supertest, axios), get a header, and what the server does for them is done
 * on behalf of that test.
 */
export class RequestMarks {
  readonly #storage: AsyncLocalStorage<Ledger | undefined>;
  readonly #ledgers = new Map<string, Ledger>();
  readonly #ids = new Map<Ledger, string>();
  #count = 0;

  constructor(storage: AsyncLocalStorage<Ledger | undefined>) {
    this.#storage = storage;
  }

  add(ledger: Ledger): void {
    const id = `${process.pid}-${performance.now()}-${++this.#count}`;
    if (this.#ledgers.size === 0) this.#listen('subscribe');
    this.#ledgers.set(id, ledger);
    this.#ids.set(ledger, id);
  }

  remove(ledger: Ledger): void {
    this.#ledgers.delete(this.#ids.get(ledger)!);
    this.#ids.delete(ledger);
    if (this.#ledgers.size === 0) this.#listen('unsubscribe');
  }

  #listen(verb: 'subscribe' | 'unsubscribe'): void {
    channel('undici:request:create')[verb](this.#fetching);
    channel('http.client.request.created')[verb](this.#requesting);
    channel('http.server.request.start')[verb](this.#serving);
  }

  readonly #fetching = (message: unknown): void => {
    const { request } = message as { request: FetchedRequest };
    const id = this.#idFor(String(request.origin).replace(/^\w+:\/\//, ''));
    if (id !== undefined) request.addHeader(HEADER, id);
  };

  readonly #requesting = (message: unknown): void => {
    const { request } = message as { request: ClientRequest };
    const id = this.#idFor(request.host);
    if (id !== undefined && !request.headersSent) request.setHeader(HEADER, id);
  };

  /** What the server does next, it does in the context that is entered here. */
  readonly #serving = (message: unknown): void => {
    const { request } = message as { request: IncomingMessage };
    const id = request.headers[HEADER];
    const ledger = typeof id === 'string' ? this.#ledgers.get(id) : undefined;
    // Also when there is none: on Node 22 the context of the connection's last request is still entered.
    this.#storage.enterWith(ledger);
  };

  #idFor(host: string): string | undefined {
    const ledger = this.#storage.getStore();
    return ledger !== undefined && LOOPBACK.test(host) ? this.#ids.get(ledger) : undefined;
  }
}
