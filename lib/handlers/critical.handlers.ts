import { Logger } from '@nestjs/common';
import type { CommitParticipant, DeliveryContext } from '../emission/adapter.js';
import type { Emission } from '../emission/emission.js';
import { isInterested } from '../emission/interest.js';
import { signal } from '../telemetry/signal.js';
import type { HandlerInvoker } from './handler.invoker.js';
import type { Handler } from './handler.js';
import type { HandlerRegistry } from './handler.registry.js';
import { loggable } from '../emission/thrown.js';

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
    return this.#registry.critical.length > 0 ? this.#run(emissions) : emissions;
  }

  /** Whether one of them is there for emissions of this name. */
  takes(name: string): boolean {
    return this.#registry.critical.some((handler) => this.#matches(handler, name));
  }

  /** What critical handlers emit joins the commit, and is shown to the critical handlers in turn. */
  async #run(emissions: readonly Emission[]): Promise<readonly Emission[]> {
    const all = [...emissions];
    for (const emission of all) {
      for (const handler of this.#registry.critical) {
        if (!this.#matches(handler, emission.name)) continue;
        // One behind another: the first that throws ends the commit.
        // oxlint-disable-next-line no-await-in-loop
        if (this.#wants(handler, emission)) await this.#invoke(handler, emission, all);
      }
    }
    return all;
  }

  /** A pattern that fails to answer takes nothing, and the failure is signalled. */
  #matches(handler: Handler, name: string): boolean {
    try {
      return handler.matches(name);
    } catch (error) {
      this.#failed('interested', handler, name, error, 0);
      // Nobody else hears of this one; the others reach whoever commits, who logs them.
      this.#logger.error(
        `The critical handler ${handler.name} does not take '${name}'.`,
        loggable(error),
      );
      return false;
    }
  }

  #wants(handler: Handler, emission: Emission): boolean {
    try {
      return isInterested(handler.adapter, emission);
    } catch (error) {
      this.#failed('interested', handler, emission.name, error, 0);
      throw error;
    }
  }

  async #invoke(handler: Handler, emission: Emission, all: Emission[]): Promise<void> {
    const started = performance.now();
    const outlet = (cascaded: readonly Emission[]): void => {
      for (const each of cascaded) all.push(each);
    };
    try {
      await this.#limit(handler.name, handler.options.timeoutMs, (call) =>
        this.#invoker.invoke(handler, emission, call, outlet),
      );
    } catch (error) {
      this.#failed('deliver', handler, emission.name, error, performance.now() - started);
      throw error;
    }
  }

  #failed(
    phase: 'interested' | 'deliver',
    { name }: Handler,
    emission: string,
    error: unknown,
    durationMs: number,
  ): void {
    const failure = { phase, emission, count: 1, durationMs, attempt: 1, error } as const;
    signal('emissions:handler:failed', () => ({ handler: name, ...failure }));
  }
}

/** Calls with a time limit, in milliseconds (0: none); rejects when it is exceeded. The pipeline's, handed in. */
export type TimeLimit = (
  name: string,
  timeoutMs: number,
  work: (call: DeliveryContext) => void | Promise<void>,
) => Promise<void>;
