import {
  createInbox,
  type Msg,
  type NatsConnection,
  type Status,
  type Subscription,
} from '@nats-io/transport-node';
import { BrokerConnectionError, BrokerRefusedError } from '../broker.errors.js';

/** Who waits for an answer. */
interface Waiting {
  readonly subject: string;
  /** Whether nothing of that id can have been published before. */
  readonly isFirst: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * What JetStream answers, through one inbox for all that is published: a request of its own for each message costs several times
 * as much.
 */
export class Acknowledgements {
  readonly #inbox = createInbox();
  readonly #waiting = new Map<string, Waiting>();
  readonly #subscription: Subscription;
  readonly #events: AsyncIterable<Status>;
  #count = 0;
  #isConnected = true;

  constructor(private readonly connection: NatsConnection) {
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, {
      callback: (_, message) => this.#answered(message),
    });
    this.#events = connection.status();
    void this.#watch();
  }

  /**
   * A subject to answer to, and what resolves or rejects with the answer, or rejects when the connection is lost; {@link forget} it
   * when it has taken too long.
   *
   * @throws BrokerConnectionError when there is no connection
   */
  expect(subject: string, isFirst: boolean): { reply: string; answer: Promise<void> } {
    if (!this.#isConnected) {
      throw new BrokerConnectionError('NatsAdapter has no connection at the moment.');
    }
    const reply = `${this.#inbox}.${++this.#count}`;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.set(reply, { subject, isFirst, resolve, reject });
    return { reply, answer: promise };
  }

  /** Nobody waits for this one any more. */
  forget(reply: string): void {
    this.#waiting.delete(reply);
  }

  close(): void {
    if (!this.connection.isClosed()) this.#subscription.unsubscribe();
    (this.#events as { stop?: () => void }).stop?.();
    this.#rejectAll();
  }

  #answered(message: Msg): void {
    const waiting = this.#waiting.get(message.subject);
    if (waiting === undefined) return;
    this.#waiting.delete(message.subject);
    const refused = refusalOf(message, waiting);
    if (refused === undefined) waiting.resolve();
    else waiting.reject(refused);
  }

  /** Rejects what nobody will answer any more as soon as the connection is gone. */
  async #watch(): Promise<void> {
    for await (const { type } of this.#events) {
      if (type === 'disconnect' || type === 'close' || type === 'staleConnection') {
        this.#isConnected = false;
        this.#rejectAll();
      } else if (type === 'reconnect') this.#isConnected = true;
    }
  }

  #rejectAll(): void {
    const error = new BrokerConnectionError('The connection to NATS was lost before it answered.');
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(error);
  }
}

/** What JetStream says to what is published. */
interface Answer {
  readonly error?: { readonly code: number; readonly description: string };
  readonly stream?: string;
  readonly duplicate?: boolean;
}

function refusalOf(message: Msg, { subject, isFirst }: Waiting): Error | undefined {
  // Without a body, it is NATS itself that says that nobody listens.
  if (message.data.length === 0) return uncovered(subject);
  const { error, duplicate, stream } = message.json<Answer>();
  if (error !== undefined) {
    return new BrokerRefusedError(
      `JetStream refused what was published to '${subject}': ${error.description} (${error.code}).`,
    );
  }
  return duplicate === true && isFirst
    ? new BrokerRefusedError(
        `The stream ${stream} has the emission already, by another adapter, and keeps nothing of what was published to '${subject}'. Give each adapter a stream of its own.`,
      )
    : undefined;
}

/** No stream takes what is published there. */
export function uncovered(subject: string): BrokerRefusedError {
  return new BrokerRefusedError(
    `No stream of JetStream covers the subject '${subject}', so that nothing would be kept. Add it to one, for example: nats stream add ORDERS --subjects '${subject}'.`,
  );
}
