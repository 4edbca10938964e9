import { Logger } from '@nestjs/common';
import type { CommitParticipant, DeliveryContext } from '../emission/adapter.js';
import type { Emission } from '../emission/emission.js';
import { signal } from '../telemetry/channels.js';
import type { HandlerInvoker } from './handler.invoker.js';
import type { Handler } from './handler.js';
import type { HandlerRegistry } from './handler.registry.js';

/** Runs the handlers marked `critical` inside the commit: when one throws, the commit fails with its error. */
export class CriticalHandlers implements CommitParticipant {
  readonly #logger = new Logger('Emissions');
  readonly #registry: HandlerRegistry;
  readonly #invoker: HandlerInvoker;
  readonly #limit: TimeLimit;

  constructor(registry: HandlerRegistry, invoker: HandlerInvoker, limit: TimeLimit) {
    this.#registry = registry;
    this.#invoker = invoker;
    this.#limit = limit;
  }

  accept(emissions: readonly Emission[]): readonly Emission[] | Promise<readonly Emission[]> {
    return this.#registry.hasCritical ? this.#run(emissions) : emissions;
  }

  /** What critical handlers emit joins the commit, and is shown to the critical handlers in turn. */
  async #run(emissions: readonly Emission[]): Promise<readonly Emission[]> {
    const all = [...emissions];
    for (const emission of all) {
      for (const handler of this.#registry.criticalOf(emission)) {
        // One behind another: the first that throws ends the commit.
        // oxlint-disable-next-line no-await-in-loop
        await this.#invoke(handler, emission, all);
      }
    }
    return all;
  }

  async #invoke(handler: Handler, emission: Emission, all: Emission[]): Promise<void> {
    const started = performance.now();
    const outlet = (cascaded: readonly Emission[]): void => void all.push(...cascaded);
    try {
      await this.#limit(handler.name, handler.options.timeoutMs, (call) =>
        this.#invoker.invoke(handler, emission, call, outlet),
      );
    } catch (error) {
      const durationMs = performance.now() - started;
      signal('emissions:handler:failed', () => ({
        handler: handler.name,
        phase: 'deliver',
        emission: emission.name,
        count: 1,
        durationMs,
        attempt: 1,
        error,
      }));
      this.#logger.error(
        `The critical handler ${handler.name} failed on '${emission.name}'; the commit fails with it.`,
        error instanceof Error ? error.stack : error,
      );
      throw error;
    }
  }
}

/** Calls with a time limit, in milliseconds (0: none); rejects when it is exceeded. The pipeline's, handed in. */
export type TimeLimit = (
  name: string,
  timeoutMs: number,
  work: (call: DeliveryContext) => void | Promise<void>,
) => Promise<void>;
