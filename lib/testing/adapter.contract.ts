import type { ConsumerSettings } from '../emission/consumer.options.js';
import type { ContractCase, Expect } from './adapter.case.js';
import { DELIVERY_CASES } from './adapter.delivery.cases.js';
import { FAILURE_CASES } from './adapter.failure.cases.js';
import type { AdapterFeatures } from './adapter.features.js';
import { AdapterBench } from './adapter.bench.js';
import type { ServedAdapter } from './served-adapter.js';

/** Everything an adapter owes, each line of it. */
export const CASES: readonly ContractCase[] = [...DELIVERY_CASES, ...FAILURE_CASES];

/** What `adapterContract` takes. */
export interface AdapterContractOptions {
  /** The runner's `test` or `it`: of jest, vitest, node:test, or one like these. */
  test: (name: string, run: () => Promise<void>) => unknown;
  /** The runner's `expect`; no more of it is used than `toEqual`. */
  expect: Expect;
  /** Starts an application that serves the adapter with these options, and a reader at its other end. Called once a case, or twice. */
  create: (consumer: ConsumerSettings) => ServedAdapter | Promise<ServedAdapter>;
  /** What the adapter can do. */
  features?: AdapterFeatures;
  /**
   * How long emissions may take to arrive once they are delivered, and the application to close, in milliseconds.
   * @default 5000
   */
  timeoutMs?: number;
}

/**
 * The conformance suite for authors of adapters: what `EmissionAdapter` says an adapter owes, each line a test, with a real
 * application in front of the adapter and whatever it really delivers to behind it.
 *
 * ```ts
 * import assert from 'node:assert/strict';
 * import { test } from 'node:test';
 *
 * adapterContract({
 *   test,
 *   expect: (actual) => ({ toEqual: (expected) => assert.deepEqual(actual, expected) }),
 *   features: { failures: true, unencodable: () => ({ total: 1n }) },
 *   create: async (consumer) => {
 *     const broker = await startBroker();
 *     return {
 *       app: await serveAdapter({ useFactory: () => new BrokerAdapter(broker.url) }, consumer),
 *       received: () => broker.messages.map(({ id, name, payload }) => ({ id, name, payload })),
 *       refuse: (which, times) => broker.refuse(which, times),
 *       close: () => broker.stop(),
 *     };
 *   },
 * });
 * ```
 */
export function adapterContract(options: AdapterContractOptions): void {
  const { test, expect, create, timeoutMs = 5_000 } = options;
  const features = {
    order: true,
    acknowledges: true,
    concurrency: true,
    instances: true,
    ...options.features,
  };
  const open = async (consumer: ConsumerSettings = {}): Promise<AdapterBench> =>
    new AdapterBench(await create(consumer), timeoutMs);
  for (const each of CASES.filter(({ wants }) => wants(features))) {
    test(`the adapter ${each.name}`, () => each.run({ open, expect, features }));
  }
}
