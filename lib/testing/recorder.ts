import type { TestingModuleBuilder } from '@nestjs/testing';
import { AdapterExplorer } from '../adapter.explorer.js';
import { EMISSION_ADAPTER } from '../emission/adapter-binding.js';
import type { EmissionClass } from '../emission/emission-type.decorator.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import type { Emission } from '../emission/emission.js';
import { Pattern, type SinglePattern } from '../emission/pattern.js';
import { quote } from '../emission/quote.js';
import type { HandledPayload } from '../handlers/on-emission.decorator.js';
import { Pipeline } from '../pipeline/pipeline.js';
import { matchesPartially, type Partially } from './partial-match.js';
import { ExpectationError } from './testing.errors.js';

const NEXT_TIMEOUT_MS = 4_000;

interface Waiter {
  readonly wanted: (emission: Emission) => boolean;
  readonly resolve: (emission: Emission) => void;
}

/**
 * Sees what an application commits, in the place of its adapters; handlers work as usual. What a failed unit of work
 * emitted is never seen.
 *
 * `expectEmitted` and `next` consume what they find, so that two equal emissions need two expectations.
 */
export class EmissionRecorder {
  #emissions: Emission[] = [];
  readonly #consumed = new WeakSet<Emission>();
  readonly #waiters = new Set<Waiter>();

  /** Everything committed since the start or the last `reset`, in order, consumed or not. */
  all(): Emission[] {
    return [...this.#emissions];
  }

  /** Those that a name, glob, regular expression or class takes, in order, consumed or not. */
  named<const P extends SinglePattern>(pattern: P): Emission<HandledPayload<P>>[] {
    const compiled = new Pattern(pattern);
    return this.#emissions.filter(({ name }) => compiled.matches(name)) as Emission<
      HandledPayload<P>
    >[];
  }

  /**
   * Finds the first emission that was not consumed yet, has the name, and holds all that `partial` says; consumes it.
   *
   * @throws ExpectationError listing what was emitted instead
   */
  expectEmitted<const P extends string | EmissionClass>(
    name: P,
    partial?: Partially<Emission<HandledPayload<P>>>,
  ): Emission<HandledPayload<P>> {
    const found = this.#find(name, partial);
    if (found === undefined) {
      throw new ExpectationError(
        `Expected ${describe(name, partial)} to be emitted, but ${this.#describeAll()}.`,
      );
    }
    this.#consumed.add(found);
    return found as Emission<HandledPayload<P>>;
  }

  /** @throws ExpectationError when an emission of that name that holds all that `partial` says was committed */
  expectNotEmitted<const P extends string | EmissionClass>(
    name: P,
    partial?: Partially<Emission<HandledPayload<P>>>,
  ): void {
    const found = this.named(name as SinglePattern).find((emission) =>
      matchesPartially(emission, partial),
    );
    if (found === undefined) return;
    throw new ExpectationError(
      `Expected ${describe(name, partial)} not to be emitted, but it was: ${quote(found)}.`,
    );
  }

  /**
   * The first emission of that name that was not consumed yet; waits for it when there is none, and consumes it.
   *
   * @throws ExpectationError when none comes within `timeoutMs` (default 4000)
   */
  next<const P extends string | EmissionClass>(
    name: P,
    options: { timeoutMs?: number } = {},
  ): Promise<Emission<HandledPayload<P>>> {
    const { timeoutMs = NEXT_TIMEOUT_MS } = options;
    const there = this.#find(name);
    if (there !== undefined) {
      this.#consumed.add(there);
      return Promise.resolve(there as Emission<HandledPayload<P>>);
    }
    const pattern = new Pattern(name as SinglePattern);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        wanted: (emission) => pattern.matches(emission.name),
        resolve: (emission) => {
          clearTimeout(timer);
          this.#consumed.add(emission);
          resolve(emission as Emission<HandledPayload<P>>);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(
          new ExpectationError(
            `Waited ${timeoutMs} ms for ${describe(name)} to be emitted, but ${this.#describeAll()}.`,
          ),
        );
      }, timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  /** Forgets everything seen so far. */
  reset(): void {
    this.#emissions = [];
  }

  /** @internal Called with what is handed over, at the moment it is. */
  record(emissions: readonly Emission[]): void {
    for (const emission of emissions) {
      this.#emissions.push(emission);
      for (const waiter of this.#waiters) {
        if (!waiter.wanted(emission)) continue;
        this.#waiters.delete(waiter);
        waiter.resolve(emission);
        break;
      }
    }
  }

  #find(name: string | EmissionClass, partial?: unknown): Emission | undefined {
    return this.named(name).find(
      (emission) => !this.#consumed.has(emission) && matchesPartially(emission, partial),
    );
  }

  #describeAll(): string {
    const left = this.#emissions.filter((emission) => !this.#consumed.has(emission));
    if (left.length === 0) return 'nothing was (that is not consumed already)';
    return `these were:\n${left.map(({ name, payload }) => `  ${name} ${quote(payload)}`).join('\n')}`;
  }
}

/**
 * Puts a recorder in the place of every adapter of an application under test: none is built, nothing connects anywhere.
 * Call it before `compile()`, also for an application's real root module:
 *
 * ```ts
 * const builder = Test.createTestingModule({ imports: [AppModule] });
 * const recorder = recordEmissions(builder);
 * const app = (await builder.compile()).createNestApplication();
 * ```
 *
 * Who injects an adapter by its class gets a stand-in that only has `deliver`.
 *
 * @throws ConfigurationError for a mode there is not
 */
export function recordEmissions(
  builder: TestingModuleBuilder,
  options: { mode?: 'default' } = {},
): EmissionRecorder {
  const { mode = 'default' } = options;
  if (mode !== 'default') {
    throw new ConfigurationError(
      `recordEmissions takes the mode 'default', but got ${quote(mode)}.`,
    );
  }
  const recorder = new EmissionRecorder();
  builder.overrideProvider(EMISSION_ADAPTER).useValue({ deliver: () => {} });
  builder.overrideProvider(AdapterExplorer).useFactory({
    factory: (pipeline: Pipeline) => {
      pipeline.tap((emissions) => recorder.record(emissions));
      return { explore: () => [] };
    },
    inject: [Pipeline],
  });
  return recorder;
}

function describe(name: string | EmissionClass, partial?: unknown): string {
  const what = typeof name === 'string' ? `'${name}'` : name.name;
  return partial === undefined ? what : `${what} with ${quote(partial)}`;
}
