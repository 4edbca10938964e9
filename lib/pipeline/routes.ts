import { Logger } from '@nestjs/common';
import type { Destination } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import type { Consumer } from './consumer.js';

const REMEMBERED_NAMES = 10_000;

/** Who takes emissions of a name. */
export interface Route {
  readonly name: string;
  readonly takers: readonly Consumer[];
  /** Whether one of them asks of each emission whether it wants it. */
  readonly selective: boolean;
  /** Whether what is accepted for them arrives at each: none is asked first, queues it at once, or leaves with the first. */
  readonly arrives: boolean;
  /** How many emissions were accepted for them that they have not been told of. */
  untold: number;
  /** There is room at each until so many were accepted in all, whoever took them. */
  fitsUntil: number;
}

/**
 * Knows which consumers take which names; asked once per name, so that patterns cost nothing per emission.
 *
 * What is accepted for all consumers of a name is written down here, and told to them when somebody asks one of them how much it has: a
 * commit costs the same whether three handlers take it or thirty.
 */
export class Routes {
  readonly #logger = new Logger('Emissions');
  readonly #byName = new Map<string, Route>();
  readonly #warned = new Set<string>();
  readonly #others: ((name: string) => boolean)[] = [];
  #consumers: readonly Consumer[] = [];
  /** Those whose takers have to be told something. */
  #untold: Route[] = [];
  /** How much room was taken since the beginning, of each consumer for itself: none has lost more of its own meanwhile. */
  #accepted = 0;
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

  /** The one that all of them take, if they have the same name. */
  toAll(emissions: readonly Emission[]): Route | undefined {
    const name = emissions[0]?.name;
    if (name === undefined) return undefined;
    for (let i = 1; i < emissions.length; i++) if (emissions[i]!.name !== name) return undefined;
    return this.to(name);
  }

  /** Accepts so many for all takers of a route where they arrive; returns whether they fit, else nothing is accepted. */
  accept(route: Route, count: number): boolean {
    const accepted = this.#accepted + count;
    if (accepted > route.fitsUntil && !this.#fits(route, count)) return false;
    this.#accepted = accepted;
    if (route.untold === 0) this.#untold.push(route);
    route.untold += count;
    return true;
  }

  /** The same for several names: one for the takers of each of these routes, when there is room for as many at each. */
  acceptEach(routes: readonly Route[]): boolean {
    const { length } = routes;
    const accepted = this.#accepted + length;
    for (const route of routes)
      if (accepted > route.fitsUntil && !this.#fits(route, length)) return false;
    this.#accepted = accepted;
    for (const route of routes) {
      if (route.untold === 0) this.#untold.push(route);
      route.untold++;
    }
    return true;
  }

  /** So much room of one consumer is taken otherwise; every way to take some has to say so. */
  took(count: number): void {
    this.#accepted += count;
  }

  /** Tells consumers of what was accepted for them. */
  tell(): void {
    if (this.#untold.length === 0) return;
    for (const route of this.#untold) {
      for (const consumer of route.takers) consumer.accepted(route.untold);
      route.untold = 0;
    }
    this.#untold = [];
  }

  #fits(route: Route, count: number): boolean {
    let room = Infinity;
    for (const consumer of route.takers) {
      room = Math.min(room, consumer.room);
      if (room < count) return false;
    }
    route.fitsUntil = this.#accepted + room;
    return true;
  }

  #find(name: string): Route {
    const known = this.#byName.get(name);
    if (known !== undefined) return (this.#last = known);
    const takers = this.#consumers.filter((consumer) => consumer.takes(name));
    const selective = takers.some(
      ({ destination }) => destination.adapter.interested !== undefined,
    );
    const arrives = !selective && takers.length > 0 && takers.every((consumer) => consumer.arrives);
    const route = { name, takers, selective, arrives, untold: 0, fitsUntil: 0 };
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
