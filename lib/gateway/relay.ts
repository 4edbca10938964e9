import { randomBytes } from 'node:crypto';
import type { Namespace } from 'socket.io';
import type { ChannelEntry } from '../emission/channel-history.js';
import { readEntry, writeEntry, type WrittenEntry } from '../emission/entry-text.js';

const RELAYED = 'emissions:relayed';

/** How long something that came too early waits for what was sent before it. */
const PATIENCE_MS = 2_000;

/** How much of one process may wait. */
const MAX_HELD = 10_000;

/** Of how many processes it is remembered how far they have come. */
const MAX_ORIGINS = 1_000;

/** What is done with what comes of other processes. */
export interface RelayEnd {
  take(tenant: string, entries: readonly ChannelEntry[]): void;
  /** Something has not come, whatever tenants it was of. */
  lost(): void;
}

/** How far another process has come. */
interface Origin {
  next: number | undefined;
  readonly held: Map<number, () => void>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Brings what this process carries to the others, over socket.io's adapter, for processes that share no history. Adapters
 * promise neither that messages come in the order they were sent nor that they come at all: each is numbered, what comes too
 * early waits, and what does not come is told.
 */
export class Relay {
  readonly #name = randomBytes(8).toString('base64url');
  readonly #origins = new Map<string, Origin>();
  #sent = 0;

  constructor(
    private readonly server: Namespace,
    private readonly end: RelayEnd,
  ) {
    server.on(RELAYED, (from: string, number: number, tenant: string, entries: string) =>
      this.#receive(from, number, () => this.#take(tenant, entries)),
    );
  }

  send(tenant: string, entries: readonly ChannelEntry[]): void {
    const written = `[${entries.map(writeEntry).join(',')}]`;
    this.server.serverSideEmit(RELAYED, this.#name, ++this.#sent, tenant, written);
  }

  close(): void {
    for (const { timer } of this.#origins.values()) clearTimeout(timer);
    this.#origins.clear();
  }

  #take(tenant: string, written: string): void {
    const entries = JSON.parse(written) as WrittenEntry[];
    this.end.take(
      tenant,
      entries.map((entry) => readEntry(entry, 0)),
    );
  }

  #receive(from: string, number: number, take: () => void): void {
    const origin = this.#originOf(from);
    // One that was there before this process: the first that comes may not be the first of what is on its way.
    if (number === 1) origin.next ??= 1;
    if (origin.next !== undefined && number < origin.next) return;
    origin.held.set(number, take);
    this.#release(origin);
    if (origin.held.size > MAX_HELD) this.#giveUp(origin);
    else if (origin.held.size > 0) origin.timer ??= this.#later(origin);
  }

  #originOf(from: string): Origin {
    let origin = this.#origins.get(from);
    if (origin === undefined) {
      origin = { next: undefined, held: new Map(), timer: undefined };
      const [oldest] = this.#origins.keys();
      if (this.#origins.size >= MAX_ORIGINS) this.#origins.delete(oldest!);
      this.#origins.set(from, origin);
    }
    return origin;
  }

  /** Hands on what is next, and what waited for that. */
  #release(origin: Origin): void {
    while (origin.next !== undefined) {
      const take = origin.held.get(origin.next);
      if (take === undefined) break;
      origin.held.delete(origin.next++);
      take();
    }
    if (origin.held.size > 0) return;
    clearTimeout(origin.timer);
    origin.timer = undefined;
  }

  #later(origin: Origin): NodeJS.Timeout {
    const timer = setTimeout(() => {
      origin.timer = undefined;
      this.#giveUp(origin);
      if (origin.held.size > 0) origin.timer = this.#later(origin);
    }, PATIENCE_MS);
    return timer.unref();
  }

  /** Goes on behind what has not come. */
  #giveUp(origin: Origin): void {
    if (origin.next !== undefined) this.end.lost();
    origin.next = Math.min(...origin.held.keys());
    this.#release(origin);
  }
}
