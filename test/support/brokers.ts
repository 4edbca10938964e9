import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { fromCloudEvent, type Emission } from 'nestjs-emissions';
import type { Arrival } from 'nestjs-emissions/testing';
import { cloudEventOf, type ReceivedRecord } from '../../lib/brokers/record-format.js';
import { OtherEnd } from './other-end.js';

/** A payload that can be emitted, and for which there is no JSON. */
export class Unwritable {
  toJSON(): never {
    throw new Error('no words for this');
  }
}

/** What was received, as an emission. */
export function emissionOf(record: ReceivedRecord): Emission {
  return fromCloudEvent(cloudEventOf(record));
}

/** The same, as far as the contract compares it. */
export function arrivalOf(record: ReceivedRecord): Arrival {
  const { id, name, payload } = emissionOf(record);
  return { id, name, payload };
}

/**
 * Makes a real server refuse: what is asked for is sent where it takes nothing. The first time that a route is asked is inside the
 * commit, and not counted.
 */
export class Refusals {
  readonly #end = new OtherEnd();
  readonly #asked = new Set<string>();

  refuse(which: (arrival: Arrival) => boolean, times: number): void {
    this.#end.refuse(which, times);
  }

  /** A destination that is `good` for what is not refused. */
  route(good: string, bad: string): (emission: Emission) => string {
    return ({ id, name, payload }) => {
      const isFirst = !this.#asked.has(id);
      this.#asked.add(id);
      return !isFirst && this.#end.refuses({ id, name, payload }) ? bad : good;
    };
  }
}

/** A connection through which bytes can be made to vanish, and that can be cut. */
export interface Wire extends AsyncDisposable {
  readonly port: number;
  /** Lets what the server says vanish from now on; what it is told still arrives. */
  swallowAnswers(): void;
  /** Lets everything vanish from now on. */
  swallow(): void;
  /** Closes every connection, and refuses new ones. */
  cut(): void;
  /** Lets new connections through again; those that bytes vanished from are closed. */
  mend(): void;
}

/** Puts a wire in front of a server on loopback. @param alter makes of what the server says what is heard */
export async function wireTo(
  port: number,
  alter: (bytes: Buffer) => Buffer = (bytes) => bytes,
): Promise<Wire> {
  let down = false;
  let swallowing: 'nothing' | 'answers' | 'everything' = 'nothing';
  const pairs = new Set<readonly [Socket, Socket]>();
  const cutAll = (): void => {
    for (const [near, far] of pairs) {
      near.destroy();
      far.destroy();
    }
  };
  const server = createServer((near) => {
    if (down) return void near.destroy();
    const far = connect(port, '127.0.0.1');
    const pair = [near, far] as const;
    pairs.add(pair);
    near.setNoDelay();
    far.setNoDelay();
    near.on('data', (bytes) => swallowing !== 'everything' && far.write(bytes));
    far.on('data', (bytes) => swallowing === 'nothing' && near.write(alter(bytes)));
    for (const each of pair) {
      each.on('error', () => {});
      each.on('close', () => {
        pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    swallowAnswers: () => void (swallowing = 'answers'),
    swallow: () => void (swallowing = 'everything'),
    cut: () => {
      down = true;
      cutAll();
    },
    mend: () => {
      if (swallowing !== 'nothing') cutAll();
      swallowing = 'nothing';
      down = false;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cutAll();
      }),
  };
}

/** Tries until it works, as a consumer's retries do; gives up after a few seconds. */
export async function persist(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      // oxlint-disable-next-line no-await-in-loop
      return await work();
    } catch (error) {
      if (attempt === 500) throw error;
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
