import type { Emission } from '../emission/emission.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import { callback, oneOf, text, type OptionRule } from '../emission/option-set.js';
import { quote } from '../emission/quote.js';
import { signal } from '../telemetry/signal.js';
import { RecordError } from './broker.errors.js';
import { writeEmission, type HeaderStyle, type RecordFormat } from './record-format.js';
import { Undelivered } from './undelivered.js';

/** An emission as a broker carries it. */
export interface BrokerRecord {
  readonly emission: Emission;
  /** The topic, stream, subject or routing key. */
  readonly destination: string;
  /** The emission's: what brokers keep in order. */
  readonly key: string | undefined;
  /**
   * `message-id` (the emission's id), `correlation-id`, `causation-id`, `tenant`, `traceparent` and `content-type`, as far as there
   * is one; in binary mode also the attributes of the CloudEvent.
   */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/**
 * Where emissions go: a name for all of them, or a function that tells for each; `undefined` says that there is no place for
 * it. It is asked inside the commit and once more for each delivery; keep it quick and pure. {@link byTopic} makes one.
 */
export type Route = string | ((emission: Emission) => string | undefined);

/** What adapters to brokers have in common: where an emission goes, and in which form. */
export interface RecordOptions {
  /** Where emissions go, as the broker calls it: fixed, `byTopic('shop.')`, or a function. Required. */
  destination: Route;
  /**
   * Where an emission goes that `destination` has no place for. Without it, it is not delivered, and signalled as
   * `emissions:emission:dropped` with the reason `unmapped`.
   */
  fallback?: string;
  /**
   * How an emission is written: as a CloudEvent in `'binary'` or `'structured'` mode, or by a function that gives
   * `{ body, contentType?, headers? }`.
   * @default 'binary'
   */
  format: RecordFormat;
}

/** Sends each emission to where its topic goes: `byTopic('shop.')` sends `orders` to `shop.orders`, and what has no topic nowhere. */
export function byTopic(prefix = ''): (emission: Emission) => string | undefined {
  return ({ topic }) => (topic === undefined ? undefined : prefix + topic);
}

const modes = oneOf(['binary', 'structured'], 'binary');
const functions = callback();

/** The rules of {@link RecordOptions}, for the options of each adapter. */
export const recordRules: {
  readonly [K in keyof Required<RecordOptions>]: OptionRule<NonNullable<RecordOptions[K]>>;
} = {
  destination: {
    takes: 'a name, byTopic(…), or a function of the emission',
    check: (given) => typeof given === 'function' || (typeof given === 'string' && given !== ''),
  },
  fallback: text(),
  format: {
    takes: "'binary', 'structured' or a function",
    default: 'binary',
    check: (given, path) =>
      modes.check(given, path) === true || functions.check(given, path) === true,
  },
};

/** The records of a batch, and what could not be made one. */
export interface RecordBatch {
  readonly records: readonly BrokerRecord[];
  readonly undelivered: Undelivered;
}

/** Makes the records of one adapter. */
export class RecordWriter {
  readonly #format: RecordFormat;
  readonly #fallback: string | undefined;
  readonly #destination: Route;

  /** @throws ConfigurationError when there is no destination */
  constructor(
    private readonly adapter: string,
    { destination, fallback, format }: RecordOptions,
    private readonly style: HeaderStyle,
  ) {
    if (destination === undefined) {
      throw new ConfigurationError(
        `${adapter}: destination is required. Write destination: 'orders', byTopic('shop.'), or (emission) => ….`,
      );
    }
    this.#destination = destination;
    this.#fallback = fallback;
    this.#format = format;
  }

  /** Whether there is a place for it; where there is none, that is signalled. */
  hasPlaceFor(emission: Emission): boolean {
    if (this.#placeOf(emission) !== undefined) return true;
    this.#drop(emission);
    return false;
  }

  /** What cannot be written fails alone; what has lost its place meanwhile is left out. */
  write(batch: readonly Emission[]): RecordBatch {
    const records: BrokerRecord[] = [];
    const undelivered = new Undelivered();
    for (const emission of batch) {
      try {
        const destination = this.#placeOf(emission);
        if (destination === undefined) this.#drop(emission);
        else {
          const { headers, body } = writeEmission(emission, this.#format, this.style);
          records.push({ emission, destination, key: emission.key, headers, body });
        }
      } catch (error) {
        undelivered.add(emission, new RecordError(emission, error));
      }
    }
    return { records, undelivered };
  }

  #placeOf(emission: Emission): string | undefined {
    const route = this.#destination;
    const place = typeof route === 'string' ? route : (route(emission) ?? this.#fallback);
    if (place === undefined || (typeof place === 'string' && place !== '')) return place;
    throw new ConfigurationError(
      `${this.adapter}: destination has to give a non-empty string or undefined for '${emission.name}', but gave ${quote(place)}.`,
    );
  }

  #drop({ name }: Emission): void {
    signal('emissions:emission:dropped', () => ({
      reason: 'unmapped',
      emission: name,
      count: 1,
      consumer: this.adapter,
    }));
  }
}
