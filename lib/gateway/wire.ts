import type { Emission } from '../emission/emission.js';
import { toJsonValue } from '../emission/json-value.js';

/** An emission as browsers get it, unless the option `serialize` says otherwise. */
export interface WireEmission {
  readonly id: string;
  readonly name: string;
  readonly topic?: string;
  readonly payload: unknown;
  readonly metadata: unknown;
  /** Epoch milliseconds with fractions. */
  readonly occurredAt: number;
}

/** Makes the default form of an emission on the wire. Maps, sets, bigints and bytes are written as JSON can. */
export function toWire(emission: Emission): WireEmission {
  const { id, name, topic, payload, metadata, occurredAt } = emission;
  return {
    id,
    name,
    ...(topic !== undefined && { topic }),
    payload: toJsonValue(payload),
    metadata: toJsonValue(metadata),
    occurredAt,
  };
}
