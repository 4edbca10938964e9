import { setTimeout as wait } from 'node:timers/promises';
import type { DeliveryContext, EmissionAdapter } from '../emission/adapter.js';
import type { Emission } from '../emission/emission.js';
import { Emissions } from '../emissions.service.js';
import { Pipeline } from '../pipeline/pipeline.js';
import { TracedAdapter } from '../traced.adapter.js';
import type { Arrival, ServedAdapter } from './served-adapter.js';
import { TestingError } from './testing.errors.js';

const LOOK_EVERY_MS = 2;

/** One served adapter in a case of the contract: emits, looks at what arrives, and watches the calls. */
export class AdapterBench implements AsyncDisposable {
  readonly #served: ServedAdapter;
  readonly #emissions: Emissions;
  /** The batches of all calls, in order. */
  readonly batches: (readonly Emission[])[] = [];
  /** How many calls ran at once, at most. */
  overlap = 0;
  /** Called before each call of `deliver` goes on. */
  beforeCall: () => Promise<void> | void = () => {};
  readonly #timeoutMs: number;
  #running = 0;
  #isClosed = false;

  constructor(served: ServedAdapter, timeoutMs: number) {
    this.#served = served;
    this.#timeoutMs = timeoutMs;
    this.#emissions = served.app.get(Emissions, { strict: false });
    this.#watch(adapterOf(served));
  }

  /** Commits emissions with these payloads in one unit of work. */
  async commit(
    payloads: readonly unknown[],
    { name = 'contract.happened', key }: { name?: string; key?: (payload: never) => string } = {},
  ): Promise<Arrival[]> {
    const emitted: Arrival[] = [];
    await this.#emissions.run(() => {
      for (const payload of payloads) {
        const options = { ...this.#served.emitOptions, ...(key && { key: key(payload as never) }) };
        const { id } = this.#emissions.emit(name, payload, undefined, options)!;
        emitted.push({ id, name, payload });
      }
    });
    return emitted;
  }

  settled(): Promise<void> {
    return this.#emissions.settled();
  }

  /** What has arrived so far. */
  async received(): Promise<Arrival[]> {
    const arrivals = await this.#served.received();
    return arrivals.map(({ id, name, payload }) => ({ id, name, payload }));
  }

  /** The same, once so many have arrived; or, when that takes too long, what there is then. */
  async arrived(count: number): Promise<Arrival[]> {
    const until = performance.now() + this.#timeoutMs;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- looks again and again
      const arrivals = await this.received();
      if (arrivals.length >= count || performance.now() > until) return arrivals;
      // oxlint-disable-next-line no-await-in-loop
      await wait(LOOK_EVERY_MS);
    }
  }

  /** The same, when all is delivered and a last emission has come through: whatever came too often has come by then. */
  async arrivedInAll(count: number): Promise<Arrival[]> {
    await this.settled();
    await this.arrived(count);
    const [last] = await this.commit([{ last: true }]);
    const arrivals = await this.arrived(count + 1);
    return arrivals.filter(({ id }) => id !== last!.id);
  }

  /** @throws TestingError when the other end cannot be made to refuse anything */
  refuse(which: (arrival: Arrival) => boolean, times: number): void {
    if (this.#served.refuse === undefined) {
      throw new TestingError(
        'The features failures and partialFailures want create() to give a refuse(which, times), which makes the other end refuse.',
      );
    }
    this.#served.refuse(which, times);
  }

  async closeApp(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const late = new AbortController();
    const closed = await Promise.race([
      this.#served.app.close().then(() => true),
      wait(this.#timeoutMs, false, { signal: late.signal }),
    ]);
    late.abort();
    if (closed) return;
    throw new TestingError(
      `The application has not closed within ${this.#timeoutMs} ms. Does the adapter's onApplicationShutdown end?`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeApp();
    await this.#served.close?.();
  }

  #watch(adapter: EmissionAdapter): void {
    const deliver = adapter.deliver.bind(adapter);
    adapter.deliver = async (batch: readonly Emission[], context: DeliveryContext) => {
      this.overlap = Math.max(this.overlap, ++this.#running);
      this.batches.push(batch);
      try {
        await this.beforeCall();
        await deliver(batch, context);
      } finally {
        this.#running--;
      }
    };
  }
}

function adapterOf({ app, name }: ServedAdapter): EmissionAdapter {
  const adapters = app
    .get(Pipeline, { strict: false })
    .consumers.map(({ destination }) => destination)
    .filter(({ kind }) => kind === 'adapter')
    .filter((destination) => name === undefined || destination.name === name);
  const [first] = adapters;
  if (first !== undefined && adapters.length === 1)
    return first.adapter instanceof TracedAdapter ? first.adapter.traced : first.adapter;
  throw new TestingError(
    `create() has to give an application in which exactly one adapter is served${name === undefined ? '' : ` as '${name}'`}, but ` +
      `there are ${adapters.length}: serveAdapter(registration, consumer) makes one; of several, give the name.`,
  );
}
