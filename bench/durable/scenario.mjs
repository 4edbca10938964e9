// What is asked of every contender, and how it is checked.
import { setTimeout as pause } from 'node:timers/promises';

export const KEYS = 1_000;
export const AT_ONCE = 1_000;
export const CONCURRENCY = 20;
const LATENCIES = 400;

/** Every so often one of another tenant behind all those of one that has very many. */
export const TENANTS = { noisy: 4_500, others: 5, ofEachOther: 100, handlerMs: 5, share: 5 };

export const keyOf = (i, keys) => (keys === 0 ? undefined : `k${i % keys}`);

/** About 300 bytes of JSON, as an order would be. */
export function payload(n) {
  return {
    id: `order-${n}`,
    n,
    total: 7,
    currency: 'EUR',
    customer: { id: 'customer-4711', name: 'Ada Lovelace', email: 'ada@example.com' },
    lines: [
      { sku: 'ESP-1', title: 'Espresso beans', quantity: 2, price: 12.5 },
      { sku: 'FLT-9', title: 'Paper filters', quantity: 1, price: 4.2 },
    ],
    note: 'please ring twice',
  };
}

/** Checks that each is worked on once, and those of a key in their order. */
export class Checked {
  #seen = new Set();
  #last = new Map();
  #count;
  #all = Promise.withResolvers();

  constructor(count) {
    this.#count = count;
  }

  /** Resolves when all have come. */
  get all() {
    return this.#all.promise;
  }

  take(n, key) {
    if (this.#seen.has(n)) throw new Error(`${n} came twice.`);
    this.#seen.add(n);
    if (key !== undefined && key !== null) {
      if (n <= (this.#last.get(key) ?? -1)) this.#all.reject(new Error(`${key}: ${n} came too late.`));
      this.#last.set(key, n);
    }
    if (this.#seen.size === this.#count) this.#all.resolve();
  }
}

/** The payloads from 0 on, so many at a time. */
export function* batches(count) {
  for (let n = 0; n < count; n += AT_ONCE) {
    yield Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, i) => payload(n + i));
  }
}

/** Work a second; `work` resolves when it is done and settled. */
export async function rate(count, work) {
  const started = performance.now();
  await work();
  return count / ((performance.now() - started) / 1_000);
}

/**
 * Milliseconds from before `send` is called until the other end hears of it, at 100 a second; the median.
 *
 * @param open gets what is to be called with each payload, and resolves with `send` and `close`
 */
export async function latency(open) {
  const waited = [];
  const all = Promise.withResolvers();
  const sentAt = new Map();
  const { send, close } = await open(({ n }) => {
    waited.push(performance.now() - sentAt.get(n));
    if (waited.length === LATENCIES) all.resolve();
  });
  for (let n = 0; n < LATENCIES; n++) {
    sentAt.set(n, performance.now());
    Promise.resolve(send(payload(n))).catch(all.reject);
    await pause(10);
  }
  await all.promise;
  await close();
  // What was slow because nothing was compiled yet is nobody's median.
  return waited.sort((a, b) => a - b)[LATENCIES >> 1];
}

/** The payloads of a tenant with very many, and those of others behind them, with the name of the tenant. */
export function* ofTenants() {
  const { noisy, others, ofEachOther } = TENANTS;
  let n = 0;
  for (; n < noisy; n++) yield ['noisy', payload(n)];
  for (let i = 0; i < others * ofEachOther; i++, n++) yield [`other-${i % others}`, payload(n)];
}

/** How long the others waited for their handler, in milliseconds: what 95 of 100 did not exceed. */
export class Waits {
  #of = [];
  #left = TENANTS.noisy + TENANTS.others * TENANTS.ofEachOther;
  #all = Promise.withResolvers();

  get all() {
    return this.#all.promise;
  }

  start() {
    this.at = performance.now();
  }

  async take(tenant) {
    if (tenant !== 'noisy') this.#of.push(performance.now() - this.at);
    await pause(TENANTS.handlerMs);
    if (--this.#left === 0) this.#all.resolve();
  }

  get p95() {
    const sorted = this.#of.sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.95)];
  }
}
