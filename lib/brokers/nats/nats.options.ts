import type { NatsConnection } from '@nats-io/transport-node';
import {
  defineOptions,
  milliseconds,
  text,
  value,
  type OptionSet,
} from '../../emission/option-set.js';
import { recordRules, type RecordOptions } from '../broker-record.js';
import { clientOptions } from '../client-options.js';

/** Where NATS is, and which subjects streams have to cover. `destination` is the subject. */
export interface NatsOptions extends RecordOptions {
  /** A connection of `@nats-io/transport-node` that the application has, yours to close. Either this or `url`. */
  client?: NatsConnection;
  /** The server, or several with commas, that the adapter connects to, and connects to again: `nats://127.0.0.1:4222`; users belong to `connection`. */
  url?: string;
  /** What `connect` takes besides: `{ user, pass, tls: {} }`. */
  connection?: Readonly<Record<string, unknown>>;
  /**
   * Subjects that a stream has to cover when the application starts, besides a `destination` that is fixed and the `fallback`, which
   * are looked for anyway.
   */
  subjects: readonly string[];
  /**
   * How long JetStream may take to answer a batch, in milliseconds; what is not answered by then has failed, and may have arrived.
   * @default 5000
   */
  timeoutMs: number;
}

/** The rules of {@link NatsOptions}. */
export const natsOptions: OptionSet<NatsOptions> = defineOptions<NatsOptions>({
  ...recordRules,
  client: value<NatsConnection>(
    'a connection of @nats-io/transport-node',
    (given) => typeof (given as NatsConnection | null)?.subscribe === 'function',
  ),
  url: text(),
  connection: clientOptions('connect'),
  subjects: value<readonly string[]>('a list of subjects', (given) => Array.isArray(given), []),
  timeoutMs: milliseconds({ min: 1, default: 5_000 }),
});
