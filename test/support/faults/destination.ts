import type { FactoryAdapter } from 'nestjs-emissions';
import type { OwnServer } from '../own-server.js';

/** What the emissions of these tests carry. */
export interface Numbered {
  /** Which one it is, counting from 1. */
  readonly n: number;
  /** The emission's key. */
  readonly key: string;
}

/** What an adapter promises, as `docs/adapters.md` states it, when it is tried again until it has delivered. */
export interface AdapterPromise {
  /** What nothing of what was emitted is lost in. */
  readonly keeps: 'everything' | 'all but restarts' | 'nothing';
  /** What may come twice: nothing, or what it said it could not deliver and was given again. */
  readonly repeats: 'nothing' | 'what was tried again' | 'anything';
}

/** Where an adapter delivers to, on a server that may be killed. */
export interface FaultyDestination extends AsyncDisposable {
  /** Names the adapter. */
  readonly name: string;
  readonly promise: AdapterPromise;
  /** Makes the adapter, with options as an application would give them, for a server on that port. */
  adapter(port: number): ReturnType<FactoryAdapter['useFactory']>;
  /** What has arrived so far, in order. */
  arrivals(): Promise<readonly Numbered[]>;
}

/** A server, and the adapters that deliver to it. */
export interface FaultyServer {
  readonly name: string;
  /** Why it is not to be had here; undefined when it is. */
  readonly missing?: string | undefined;
  start(): Promise<Pick<OwnServer, 'port' | 'kill' | 'start' | typeof Symbol.asyncDispose>>;
  /** Makes what the server says fit for whoever comes through a wire, where it says on which port it is. */
  readonly alter?: (bytes: Buffer, port: number, wire: number) => Buffer;
  /** Makes them: `id` names what they are on the server, so that several processes have the same. */
  readonly destinations: readonly ((port: number, id?: string) => Promise<FaultyDestination>)[];
}

/** How long each adapter waits for an answer in these tests, in milliseconds: also for the first one, on a busy machine. */
export const ANSWER_MS = 1_000;
