import { Observable, type Subscriber } from 'rxjs';
import { consumerOptionsOf, type PipelineOptions } from './pipeline/pipeline.options.js';
import type { Pipeline } from './pipeline/pipeline.js';
import type { Emission } from './emission/emission.js';
import { Pattern, type EmissionPattern } from './emission/pattern.js';

/** Committed emissions as Observables. Each subscription is a consumer of its own; it is told in order, one by one. */
export class EmissionStreams {
  readonly #subscribers = new Set<Subscriber<Emission>>();
  #count = 0;

  constructor(
    private readonly pipeline: Pipeline,
    private readonly defaults: PipelineOptions,
  ) {}

  /** @throws PatternError when the pattern is none */
  stream(pattern: EmissionPattern): Observable<Emission> {
    const compiled = new Pattern(pattern);
    return new Observable<Emission>((subscriber) => {
      if (this.pipeline.state === 'closed') return subscriber.complete();
      const name = `stream#${++this.#count} of ${compiled.text}`;
      this.#subscribers.add(subscriber);
      this.pipeline.add({
        kind: 'handler',
        name,
        adapter: { deliver: (batch) => batch.forEach((emission) => subscriber.next(emission)) },
        options: consumerOptionsOf(this.defaults, {}, name),
        priority: 0,
        pattern: compiled.text,
        once: false,
        matches: (emission) => compiled.matches(emission),
      });
      return () => {
        this.#subscribers.delete(subscriber);
        void this.pipeline.remove('handler', name);
      };
    });
  }

  /** The application closes: no stream has anything more to tell. */
  complete(): void {
    for (const subscriber of this.#subscribers) subscriber.complete();
  }
}
