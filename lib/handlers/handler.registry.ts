import { DuplicateHandlerError } from './handler.errors.js';
import type { Handler } from './handler.js';

/** All handlers of one application, in the order they were found or subscribed. */
export class HandlerRegistry {
  readonly #handlers = new Map<string, Handler>();
  #critical: readonly Handler[] = [];

  /** @throws DuplicateHandlerError when a handler goes by that id already */
  add(handler: Handler): void {
    const other = this.#handlers.get(handler.name);
    if (other !== undefined) {
      throw new DuplicateHandlerError(handler.name, other.host.describe, handler.host.describe);
    }
    this.#handlers.set(handler.name, handler);
    this.#sortCritical();
  }

  remove(handler: Handler): boolean {
    const found =
      this.#handlers.get(handler.name) === handler && this.#handlers.delete(handler.name);
    this.#sortCritical();
    return found;
  }

  get(id: string): Handler | undefined {
    return this.#handlers.get(id);
  }

  all(): Handler[] {
    return [...this.#handlers.values()];
  }

  /** Those that take emissions of this name; a pattern that fails to answer does not. */
  of(name: string): Handler[] {
    return this.all().filter((handler) => {
      try {
        return handler.matches(name);
      } catch {
        return false;
      }
    });
  }

  /** The critical handlers, in the order they are to run. */
  get critical(): readonly Handler[] {
    return this.#critical;
  }

  #sortCritical(): void {
    this.#critical = this.all()
      .filter(({ options }) => options.critical)
      .sort((a, b) => a.priority - b.priority);
  }
}
