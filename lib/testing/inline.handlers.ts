import type { CommitParticipant } from '../emission/adapter.js';
import type { Destination } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import { isInterested } from '../emission/interest.js';
import { Handler } from '../handlers/handler.js';
import type { HandlerRegistry } from '../handlers/handler.registry.js';
import type { Pipeline } from '../pipeline/pipeline.js';
import { signal } from '../telemetry/signal.js';

/**
 * Runs handlers inside the commit instead of behind it, one after another: by priority, then in the order they were found or
 * subscribed. The first that throws fails the commit, with its error. What they emit is committed in turn, before they are done,
 * so that a cascade is over when the commit that began it is. A handler is called once, whatever its `retry` says.
 */
export class InlineHandlers implements CommitParticipant {
  constructor(
    private readonly pipeline: Pipeline,
    private readonly registry: HandlerRegistry,
    private readonly isInline: (emission: Emission) => boolean,
  ) {}

  /** Keeps what it has run handlers for: it goes no further. */
  accept(emissions: readonly Emission[]): readonly Emission[] | Promise<readonly Emission[]> {
    // Before the application has started, the handlers are not ready: the pipeline keeps what comes until they are.
    if (this.pipeline.state === 'starting') return emissions;
    const inline = new Set(emissions.filter(this.isInline));
    if (inline.size === 0) return emissions;
    return this.#runAll(inline).then(() => emissions.filter((emission) => !inline.has(emission)));
  }

  async #runAll(emissions: Iterable<Emission>): Promise<void> {
    for (const emission of emissions) {
      for (const destination of this.#takersOf(emission)) {
        // oxlint-disable-next-line no-await-in-loop -- one behind another
        if (isInterested(destination.adapter, emission)) await this.#run(destination, emission);
      }
    }
  }

  async #run(destination: Destination, emission: Emission): Promise<void> {
    if (destination.once) this.#retire(destination);
    const { name, options, adapter } = destination;
    const started = performance.now();
    try {
      await this.pipeline.call(name, options.timeoutMs, (call) =>
        adapter.deliver([emission], call),
      );
    } catch (error) {
      signal('emissions:handler:failed', () => ({
        handler: name,
        phase: 'deliver',
        emission: emission.name,
        count: 1,
        durationMs: performance.now() - started,
        attempt: 1,
        error,
      }));
      throw error;
    }
  }

  /** Critical handlers have had their turn: they run inside the commit in every mode. */
  #takersOf({ name }: Emission): Destination[] {
    const handlers: Destination[] = this.registry.all().filter(({ options }) => !options.critical);
    const streams = this.pipeline.consumers
      .map(({ destination }) => destination)
      .filter(({ kind }) => kind === 'handler')
      .filter((destination) => !(destination instanceof Handler));
    return [...handlers, ...streams]
      .filter((destination) => destination.matches(name))
      .sort((a, b) => a.priority - b.priority);
  }

  #retire(destination: Destination): void {
    const consumer = this.pipeline.consumers.find((each) => each.destination === destination);
    if (consumer !== undefined) this.pipeline.retire(consumer);
  }
}
