import type { Emission } from '../emission/emission.js';
import { callback, oneOf, type OptionRule } from '../emission/option-set.js';
import { RecordError } from './broker.errors.js';
import { writeEmission, type HeaderStyle, type RecordFormat } from './record-format.js';
import { Router, routeRules, type RouteOptions } from './router.js';
import { Undelivered } from './undelivered.js';

/** An emission as a broker carries it. */
export interface BrokerRecord {
  readonly emission: Emission;
  /** The topic, stream, subject or routing key. */
  readonly destination: string;
  /** The emission's: what brokers keep in order. */
  readonly key: string | undefined;
  /**
   * `message-id` (the emission's id), `correlation-id`, `causation-id`, `tenant`, `traceparent`, `tracestate` and `content-type`, as
   * far as there is one; in binary mode also the attributes of the CloudEvent.
   */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** What adapters to brokers have in common: where an emission goes, and in which form. */
export interface RecordOptions extends RouteOptions {
  /**
   * How an emission is written: as a CloudEvent in `'binary'` or `'structured'` mode, or by a function that gives
   * `{ body, contentType?, headers? }`.
   * @default 'binary'
   */
  format: RecordFormat;
}

const modes = oneOf(['binary', 'structured'], 'binary');
const functions = callback();

/** The rules of {@link RecordOptions}, for the options of each adapter. */
export const recordRules: {
  readonly [K in keyof Required<RecordOptions>]: OptionRule<NonNullable<RecordOptions[K]>>;
} = {
  ...routeRules,
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
  readonly #router: Router;

  /** @throws ConfigurationError when there is no destination */
  constructor(
    adapter: string,
    private readonly options: RecordOptions,
    private readonly style: HeaderStyle,
  ) {
    this.#router = new Router(adapter, options);
  }

  /** Whether there is a place for it; where there is none, that is signalled. */
  hasPlaceFor(emission: Emission): boolean {
    return this.#router.placeFor(emission) !== undefined;
  }

  /** What cannot be written fails alone; what has lost its place meanwhile is left out. */
  write(batch: readonly Emission[]): RecordBatch {
    const records: BrokerRecord[] = [];
    const undelivered = new Undelivered();
    for (const emission of batch) {
      try {
        const destination = this.#router.placeFor(emission);
        if (destination === undefined) continue;
        const { headers, body } = writeEmission(emission, this.options.format, this.style);
        records.push({ emission, destination, key: emission.key, headers, body });
      } catch (error) {
        undelivered.add(emission, new RecordError(emission, error));
      }
    }
    return { records, undelivered };
  }
}
