import type { EmissionCatalog, PayloadOf } from '../emission/catalog.js';
import type { Wired } from './wired.js';

/** An emission as it comes from the gateway with its default form, typed by the catalog; the payload is what JSON makes of it. */
export interface LiveEmission<N extends string = string> {
  readonly id: string;
  readonly name: N;
  readonly topic?: string;
  readonly payload: Wired<PayloadOf<N>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Epoch milliseconds with fractions. */
  readonly occurredAt: number;
  /** Its place among those of the tenant. */
  readonly offset: string;
}

/** What a channel carries: one name for `event/<name>`, any of the catalog's for others. */
export type Carried<C extends string> = C extends `event/${infer N}`
  ? LiveEmission<N>
  : keyof EmissionCatalog extends never
    ? LiveEmission
    : { [N in keyof EmissionCatalog & string]: LiveEmission<N> }[keyof EmissionCatalog & string];
