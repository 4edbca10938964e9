import { Logger } from '@nestjs/common';
import type { Destination } from '../emission/destination.js';
import type { Consumer } from './consumer.js';

const REMEMBERED_NAMES = 10_000;

/** Who takes emissions of a name. */
export interface Route {
  readonly name: string;
  readonly takers: readonly Consumer[];
  /** Whether one of them asks of each emission whether it wants it. */
  readonly selective: boolean;
}

/** Knows which consumers take which names; asked once per name, so that patterns cost nothing per emission. */
export class Routes {
  readonly #logger = new Logger('Emissions');
  readonly #byName = new Map<string, Route>();
  readonly #warned = new Set<string>();
  readonly #others: ((name: string) => boolean)[] = [];
  #consumers: readonly Consumer[] = [];
  /** The one asked for last: units of work emit the same again and again. */
  #last: Route | undefined;

  /** By priority, then in the order they were added. */
  get consumers(): readonly Consumer[] {
    return this.#consumers;
  }

  find(kind: Destination['kind'], name: string): Consumer | undefined {
    return this.#consumers.find(
      ({ destination }) => destination.kind === kind && destination.name === name,
    );
  }

  add(consumer: Consumer): void {
    const { priority } = consumer.destination;
    const behind = this.#consumers.findIndex((other) => other.destination.priority > priority);
    this.#consumers = this.#consumers.toSpliced(
      behind < 0 ? this.#consumers.length : behind,
      0,
      consumer,
    );
    this.refresh();
  }

  remove(consumer: Consumer): void {
    this.#consumers = this.#consumers.filter((other) => other !== consumer);
    this.refresh();
  }

  /** Somebody else takes names too: those it takes are not warned about. */
  alsoTaken(takes: (name: string) => boolean): void {
    this.#others.push(takes);
  }

  /** Forgets what it knew of names: a pattern, or who is asked, has changed. */
  refresh(): void {
    this.#byName.clear();
    this.#last = undefined;
  }

  /** The consumers whose pattern takes the name; a name that nobody takes is warned about once. */
  to(name: string): Route {
    const last = this.#last;
    return last?.name === name ? last : this.#find(name);
  }

  #find(name: string): Route {
    const known = this.#byName.get(name);
    if (known !== undefined) return (this.#last = known);
    const takers = this.#consumers.filter((consumer) => consumer.takes(name));
    const route = {
      name,
      takers,
      selective: takers.some(({ destination }) => destination.adapter.interested !== undefined),
    };
    if (this.#byName.size >= REMEMBERED_NAMES) this.refresh();
    this.#byName.set(name, route);
    if (takers.length === 0) this.#warn(name);
    return route;
  }

  #warn(name: string): void {
    if (this.#warned.has(name) || this.#warned.size >= REMEMBERED_NAMES) return;
    if (this.#others.some((takes) => takes(name))) return;
    this.#warned.add(name);
    this.#logger.warn(
      `Nobody consumes '${name}': no adapter is registered and no @OnEmission pattern takes it. Is the name right?`,
    );
  }
}
