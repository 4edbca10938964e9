import { Logger } from '@nestjs/common';
import type { Observable, Subscriber } from 'rxjs';
import { consumerOptionsOf, type PipelineOptions } from './pipeline/pipeline.options.js';
import type { Pipeline } from './pipeline/pipeline.js';
import type { Emission } from './emission/emission.js';
import { Pattern, type EmissionPattern } from './emission/pattern.js';
import { GuardedObservable } from './guarded.observable.js';
import { signal } from './telemetry/signal.js';
import { loggable } from './emission/thrown.js';

/** What a stream is telling somebody at the moment. */
interface Telling {
  name: string;
  emission: Emission | undefined;
}

/** Committed emissions as Observables. Each subscription is a consumer of its own; it is told in order, one by one. */
export class EmissionStreams {
  readonly #logger = new Logger('Emissions');
  readonly #subscribers = new Map<Subscriber<Emission>, Telling>();
  #count = 0;

  constructor(
    private readonly pipeline: Pipeline,
    private readonly defaults: PipelineOptions,
  ) {}

  /** @throws PatternError when the pattern is none */
  stream(pattern: EmissionPattern): Observable<Emission> {
    const compiled = new Pattern(pattern);
    // The subscription that is being made, by whom it is made and by the stream that it leads to.
    let telling: Telling | undefined;
    const openReport = () => {
      const own: Telling = { name: `stream of ${compiled.text}`, emission: undefined };
      telling = own;
      return (error: unknown): void => this.#failed(own, error);
    };
    return new GuardedObservable<Emission>(openReport, (subscriber) => {
      const own = telling ?? { name: '', emission: undefined };
      telling = undefined;
      return this.#serve(subscriber, compiled, own);
    });
  }

  /** The application closes: no stream has anything more to tell. */
  complete(): void {
    for (const [subscriber, telling] of this.#subscribers) {
      this.#guard(telling, () => subscriber.complete());
    }
  }

  #serve(subscriber: Subscriber<Emission>, pattern: Pattern, telling: Telling): () => void {
    const name = `stream#${++this.#count} of ${pattern.text}`;
    telling.name = name;
    if (this.pipeline.state === 'closed') {
      subscriber.complete();
      return () => {};
    }
    this.#subscribers.set(subscriber, telling);
    this.pipeline.add({
      kind: 'handler',
      name,
      adapter: {
        deliver: (batch) => {
          for (const emission of batch) {
            telling.emission = emission;
            this.#guard(telling, () => subscriber.next(emission));
          }
          telling.emission = undefined;
        },
      },
      options: consumerOptionsOf(this.defaults, {}, name),
      priority: 0,
      pattern: pattern.text,
      once: false,
      matches: (emission) => pattern.matches(emission),
    });
    return () => {
      this.#subscribers.delete(subscriber);
      void this.pipeline.remove('handler', name);
    };
  }

  /** What ends a subscription may throw too. */
  #guard(telling: Telling, tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#failed(telling, error);
    }
  }

  #failed({ name, emission }: Telling, error: unknown): void {
    const told = emission?.name ?? '';
    signal('emissions:handler:failed', () => ({
      handler: name,
      phase: 'deliver',
      emission: told,
      count: 1,
      durationMs: 0,
      attempt: 1,
      error,
    }));
    this.#logger.error(
      `A subscriber of ${name} failed${told === '' ? '' : ` on '${told}'`}; others are unaffected.`,
      loggable(error),
    );
  }
}
