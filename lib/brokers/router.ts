import type { Emission } from '../emission/emission.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import { text, type OptionRule } from '../emission/option-set.js';
import { quote } from '../emission/quote.js';
import { signal } from '../telemetry/signal.js';

/**
 * Where emissions go: a name for all of them, or a function that tells for each; `undefined` says that there is no place for
 * it. It is asked inside the commit and once more for each delivery; keep it quick and pure. {@link byTopic} makes one.
 */
export type Route = string | ((emission: Emission) => string | undefined);

/** Sends each emission to where its topic goes: `byTopic('shop.')` sends `orders` to `shop.orders`, and what has no topic nowhere. */
export function byTopic(prefix = ''): (emission: Emission) => string | undefined {
  return ({ topic }) => (topic === undefined ? undefined : prefix + topic);
}

/** Where emissions go. */
export interface RouteOptions {
  /** Where emissions go, as the broker calls it: fixed, `byTopic('shop.')`, or a function. Required. */
  destination: Route;
  /**
   * Where an emission goes that `destination` has no place for. Without it, it is not delivered, and signalled as
   * `emissions:emission:dropped` with the reason `unmapped`.
   */
  fallback?: string;
}

/** The rules of {@link RouteOptions}, for the options of each adapter. */
export const routeRules: {
  readonly [K in keyof Required<RouteOptions>]: OptionRule<NonNullable<RouteOptions[K]>>;
} = {
  destination: {
    takes: 'a name, byTopic(…), or a function of the emission',
    check: (given) => typeof given === 'function' || (typeof given === 'string' && given !== ''),
  },
  fallback: text(),
};

/** Finds the places of one adapter's emissions. */
export class Router {
  /** @throws ConfigurationError when there is no destination */
  constructor(
    private readonly adapter: string,
    private readonly options: RouteOptions,
  ) {
    if (options.destination !== undefined) return;
    throw new ConfigurationError(
      `${adapter}: destination is required. Write destination: 'orders', byTopic('shop.'), or (emission) => ….`,
    );
  }

  /** Its place; where there is none, that is signalled. @throws ConfigurationError when it is no place */
  placeFor(emission: Emission): string | undefined {
    const { destination: route, fallback } = this.options;
    const place = typeof route === 'string' ? route : (route(emission) ?? fallback);
    if (typeof place === 'string' && place !== '') return place;
    if (place === undefined) return this.#drop(emission);
    throw new ConfigurationError(
      `${this.adapter}: destination has to give a non-empty string or undefined for '${emission.name}', but gave ${quote(place)}.`,
    );
  }

  #drop({ name }: Emission): undefined {
    signal('emissions:emission:dropped', () => ({
      reason: 'unmapped',
      emission: name,
      count: 1,
      consumer: this.adapter,
    }));
  }
}
