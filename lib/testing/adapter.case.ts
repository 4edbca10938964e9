import type { ConsumerSettings, RetryOptions } from '../emission/consumer.options.js';
import type { AdapterFailed } from '../telemetry/channels.js';
import { onSignal } from '../telemetry/signal.js';
import type { AdapterBench } from './adapter.bench.js';
import type { AdapterFeatures } from './adapter.features.js';
import type { Arrival } from './served-adapter.js';

/** The runner's `expect`, as far as it is used. */
export type Expect = (actual: unknown) => { toEqual(expected: unknown): unknown };

/** What a case works with. */
export interface CaseTools {
  open: (consumer?: ConsumerSettings) => Promise<AdapterBench>;
  expect: Expect;
  features: AdapterFeatures;
}

/** One thing an adapter owes. */
export interface ContractCase {
  /** Goes on from "the adapter …". */
  readonly name: string;
  /** Whether it is owed by an adapter of these features. */
  wants(features: AdapterFeatures): boolean;
  run(tools: CaseTools): Promise<void>;
}

/** Owed by every adapter. */
export const always = (): boolean => true;

/** As many numbered payloads. */
export function numbered(count: number, from = 1): { n: number }[] {
  return Array.from({ length: count }, (_, i) => ({ n: from + i }));
}

/** 1, 2, 3 … */
export function upTo(count: number): number[] {
  return numbered(count).map(({ n }) => n);
}

/** What it was numbered with. */
export function numberOf({ payload }: Arrival): number {
  return (payload as { n: number }).n;
}

/** The same of all. */
export function numbersOf(arrivals: readonly Arrival[]): number[] {
  return arrivals.map(numberOf);
}

/** In an order that says nothing, for adapters that keep none. */
export function sorted(arrivals: readonly Arrival[]): Arrival[] {
  return arrivals.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** Each once, however often it came. */
export function unique(arrivals: readonly Arrival[]): Arrival[] {
  return [...new Map(arrivals.map((arrival) => [arrival.id, arrival])).values()];
}

/** The failures of an adapter that are signalled while `work` goes on, for emissions of a name. */
export async function failuresOf(
  name: string,
  work: () => Promise<void>,
): Promise<AdapterFailed[]> {
  const failures: AdapterFailed[] = [];
  const stop = onSignal('emissions:adapter:failed', (failure) => {
    if (failure.emission === name) failures.push(failure);
  });
  try {
    await work();
  } finally {
    stop();
  }
  return failures;
}

/** Tries again, and does not take its time. */
export const RETRY: RetryOptions = {
  attempts: 4,
  backoffMs: 1,
  factor: 2,
  maxBackoffMs: 10,
  jitter: 0,
};
