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
