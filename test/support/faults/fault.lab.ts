import type { ModuleMetadata, Type } from '@nestjs/common';
import {
  EmissionsModule,
  OnEmission,
  PartialDeliveryError,
  type Emission,
  type EmissionAdapter,
  type EmissionsOptions,
} from 'nestjs-emissions';
import { RecordingAdapter } from '../adapters.js';
import { start, type RunningApp } from '../app.js';
import { listen } from '../signals.js';
import { wireTo, type Wire } from '../wire.js';
import type { FaultyDestination, FaultyServer, Numbered } from './destination.js';

/** How an application would say that nothing is given up while a server is away. */
export const PATIENT = {
  batchSize: 10,
  retry: { attempts: 10_000, backoffMs: 10, factor: 1.5, maxBackoffMs: 100 },
} as const;

const KEYS = 4;

/** What came of it all at one destination. */
export interface Findings {
  readonly lost: readonly number[];
  /** Came more than once. */
  readonly repeated: readonly number[];
  /** Of these, what the adapter had not been given twice. */
  readonly unexplained: readonly number[];
  /** Came for the first time behind a later one of the same key. */
  readonly inversions: number;
}

/** What was not kept of what a destination promises. */
export function brokenBy(
  { lost, repeated, unexplained, inversions }: Findings,
  { promise: { keeps, repeats } }: FaultyDestination,
  isRestart: boolean,
): Partial<Findings> {
  const mayLose = keeps === 'nothing' || (isRestart && keeps === 'all but restarts');
  return {
    ...(!mayLose && lost.length > 0 && { lost }),
    ...(repeats === 'nothing' && repeated.length > 0 && { repeated }),
    ...(repeats !== 'anything' && unexplained.length > 0 && { unexplained }),
    ...(keeps !== 'nothing' && inversions > 0 && { inversions }),
  };
}

/** A whole application that delivers to the destinations of one server, through a wire, and to others beside. */
export class FaultLab implements AsyncDisposable {
  readonly destinations: readonly FaultyDestination[];
  readonly wire: Wire;
  /** Rejections that nobody has handled. */
  readonly unhandled: unknown[] = [];
  /** Of the batches that were delivered. */
  largestBatch = 0;
  readonly #note = (error: unknown): void => void this.unhandled.push(error);
  readonly #bystander: RecordingAdapter;
  readonly #handled: number[];
  readonly #triedAgain: ReadonlyMap<string, Set<number>>;
  readonly #failures = new Map<string, PromiseWithResolvers<Error>>();
  #running: RunningApp | undefined;
  #emitted: Numbered[] = [];

  private constructor(
    wire: Wire,
    destinations: readonly FaultyDestination[],
    bystander: RecordingAdapter,
    handled: number[],
  ) {
    this.wire = wire;
    this.destinations = destinations;
    this.#bystander = bystander;
    this.#handled = handled;
    process.on('unhandledRejection', this.#note);
    this.#triedAgain = new Map(destinations.map(({ name }) => [name, new Set<number>()]));
  }

  /** Makes the destinations, and starts the application; `imports` are what it needs for `consumer`. */
  static async start(
    { destinations, alter = (bytes) => bytes }: FaultyServer,
    port: number,
    {
      consumer = PATIENT,
      pipeline = {},
      imports = [],
      id,
    }: {
      consumer?: object;
      pipeline?: EmissionsOptions['pipeline'] & object;
      imports?: NonNullable<ModuleMetadata['imports']>;
      id?: string;
    } = {},
  ): Promise<FaultLab> {
    const wire: Wire = await wireTo(port, (bytes) => alter(bytes, port, wire.port));
    const made = await Promise.all(destinations.map((make) => make(port, id)));
    const bystander = new RecordingAdapter();
    const handled: number[] = [];
    class Handlers {
      @OnEmission('happened')
      take({ n }: Numbered): void {
        handled.push(n);
      }
    }
    const lab = new FaultLab(wire, made, bystander, handled);
    const adapters = made.map((destination) => ({
      ...{ name: destination.name, consumer },
      useFactory: () => lab.#watched(destination),
    }));
    lab.#running = await start({
      imports: [
        EmissionsModule.forRoot({
          pipeline,
          adapters: [...adapters, { name: 'bystander', useValue: bystander }],
        }),
        ...imports,
      ],
      providers: [Handlers],
    });
    return lab;
  }

  /** A provider of the application. */
  get<T>(type: Type<T>): T {
    return this.#running!.app.get(type, { strict: false });
  }

  /** So many have been emitted by another process. */
  expect(count: number): void {
    while (this.#emitted.length < count) this.#next();
  }

  #next(): Numbered {
    const n = this.#emitted.length + 1;
    const payload = { n, key: `key ${n % KEYS}` };
    this.#emitted.push(payload);
    return payload;
  }

  /** Emits so many, five in a commit, each of one of a few keys. */
  async emit(count: number): Promise<void> {
    const { emissions } = this.#running!;
    for (let left = count; left > 0; left -= 5) {
      // oxlint-disable-next-line no-await-in-loop -- one commit behind another: their order is looked at
      await emissions.run(() => {
        for (let i = 0; i < Math.min(5, left); i++) {
          const payload = this.#next();
          emissions.emit('happened', payload, undefined, { key: payload.key });
        }
      });
    }
  }

  /** Resolves when everything has been delivered. */
  settled(): Promise<void> {
    return this.#running!.emissions.settled({ timeoutMs: 60_000 });
  }

  /** The next failure of each adapter that promises to notice. */
  failures(): Promise<Error[]> {
    const noticing = this.destinations.filter(({ promise }) => promise.keeps !== 'nothing');
    return Promise.all(
      noticing.map(({ name }) => {
        const next = Promise.withResolvers<Error>();
        this.#failures.set(name, next);
        return next.promise;
      }),
    );
  }

  /** Whether the other adapter and the handler have everything that was emitted, in order. */
  get othersHaveEverything(): boolean {
    const all = String(this.#emitted.map(({ n }) => n));
    const bystander = this.#bystander.emissions.map(({ payload }) => (payload as Numbered).n);
    return String(bystander) === all && String(this.#handled) === all;
  }

  async findings({ name, arrivals }: FaultyDestination): Promise<Findings> {
    const times = new Map<number, number>();
    for (const { n } of await arrivals()) times.set(n, (times.get(n) ?? 0) + 1);
    const first = [...times.keys()];
    const repeated = first.filter((n) => times.get(n)! > 1);
    const triedAgain = this.#triedAgain.get(name)!;
    const byKey = Map.groupBy(first, (n) => n % KEYS);
    return {
      lost: this.#emitted.map(({ n }) => n).filter((n) => !times.has(n)),
      repeated,
      unexplained: repeated.filter((n) => !triedAgain.has(n)),
      inversions: [...byKey.values()].flatMap((all) => all.filter((n, i) => n < all[i - 1]!))
        .length,
    };
  }

  /** Closes the application; gives how many emissions each consumer had left, by its name. */
  async close(): Promise<Map<string, number>> {
    using dropped = listen('emissions:emission:dropped');
    await this.#running?.close();
    this.#running = undefined;
    const left = dropped.of('emissions:emission:dropped');
    return new Map(left.map(({ consumer, count }) => [consumer!, count]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    process.off('unhandledRejection', this.#note);
    await this.wire[Symbol.asyncDispose]();
    for (const destination of this.destinations) {
      // oxlint-disable-next-line no-await-in-loop -- one behind another
      await destination[Symbol.asyncDispose]();
    }
  }

  /** The adapter, which is looked at for what it fails to deliver. */
  async #watched(destination: FaultyDestination): Promise<EmissionAdapter> {
    const adapter = await destination.adapter(this.wire.port);
    const deliver = adapter.deliver.bind(adapter);
    adapter.deliver = async (batch, context) => {
      this.largestBatch = Math.max(this.largestBatch, batch.length);
      try {
        await deliver(batch, context);
      } catch (error) {
        const failed: readonly Emission[] =
          error instanceof PartialDeliveryError ? error.failed : batch;
        const again = this.#triedAgain.get(destination.name)!;
        for (const { payload } of failed) again.add((payload as Numbered).n);
        this.#failures.get(destination.name)?.resolve(error as Error);
        throw error;
      }
    };
    return adapter;
  }
}
