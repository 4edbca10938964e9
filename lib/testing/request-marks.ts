import type { AsyncLocalStorage } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Captures } from './captures.js';

const HEADER = 'x-emissions-test';
const LOOPBACK = /^(?:\[?::1\]?|127\.\d+\.\d+\.\d+|localhost)(?::\d+)?$/;

/** On whose behalf something is done. */
export interface Scope {
  captures: Captures | undefined;
}

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
  readonly #storage: AsyncLocalStorage<Scope | undefined>;
  readonly #scopes = new Map<string, Scope>();
  readonly #ids = new Map<Captures, string>();
  #count = 0;

  constructor(storage: AsyncLocalStorage<Scope | undefined>) {
    this.#storage = storage;
  }

  add(captures: Captures): void {
    const id = `${process.pid}-${performance.now()}-${++this.#count}`;
    if (this.#scopes.size === 0) this.#listen('subscribe');
    this.#scopes.set(id, { captures });
    this.#ids.set(captures, id);
  }

  remove(captures: Captures): void {
    const id = this.#ids.get(captures)!;
    // On Node 22, a connection stays in the context of its last request, also for requests of nobody's that follow.
    this.#scopes.get(id)!.captures = undefined;
    this.#scopes.delete(id);
    this.#ids.delete(captures);
    if (this.#scopes.size === 0) this.#listen('unsubscribe');
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
    // Also when there is none: see remove.
    this.#storage.enterWith(typeof id === 'string' ? this.#scopes.get(id) : undefined);
  };

  #idFor(host: string): string | undefined {
    const captures = this.#storage.getStore()?.captures;
    return captures !== undefined && LOOPBACK.test(host) ? this.#ids.get(captures) : undefined;
  }
}
