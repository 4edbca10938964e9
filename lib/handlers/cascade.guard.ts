import type { EmitOptions } from '../emission/emission.factory.js';
import type { Emission } from '../emission/emission.js';
import { signal } from '../telemetry/signal.js';
import { CascadeDepthError, CrossTenantEmissionError } from './handler.errors.js';

/** Sees to it that what handlers emit ends some time, and stays with its tenant. */
export class CascadeGuard {
  readonly #maxDepth: number;
  /** Lets an error show the whole path; an emission and its causes are let go together. */
  readonly #causes = new WeakMap<Emission, Emission>();

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  /**
   * Called with what a handler is about to emit.
   *
   * @throws CascadeDepthError when it lies deeper than `maxDepth`; the cut is signalled
   * @throws CrossTenantEmissionError when its tenant is not the cause's and `crossTenant` was not said with a `tenant`
   */
  check(emission: Emission, cause: Emission, options: EmitOptions | undefined): void {
    if (cause.tenant !== undefined && emission.tenant !== cause.tenant) {
      if (options?.crossTenant !== true || options.tenant === undefined) {
        throw new CrossTenantEmissionError(
          emission.name,
          emission.tenant,
          cause.name,
          cause.tenant,
        );
      }
    }
    this.#causes.set(emission, cause);
    if (emission.depth <= this.#maxDepth) return;
    const path = this.#pathTo(emission);
    signal('emissions:cascade:cut', () => ({
      emission: emission.name,
      count: 1,
      depth: emission.depth,
      path,
    }));
    throw new CascadeDepthError(path, this.#maxDepth);
  }

  #pathTo(emission: Emission): string[] {
    const path: string[] = [];
    for (let at: Emission | undefined = emission; at !== undefined; at = this.#causes.get(at))
      path.unshift(at.name);
    return path;
  }
}
