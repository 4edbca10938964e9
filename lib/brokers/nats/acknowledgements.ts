import {
  createInbox,
  type Msg,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node';
import { BrokerConnectionError, BrokerRefusedError } from '../broker.errors.js';

/** Who waits for an answer. */
interface Waiting {
  readonly subject: string;
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
  #count = 0;
  #isConnected = true;

  constructor(private readonly connection: NatsConnection) {
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, {
      callback: (_, message) => this.#answered(message),
    });
    void this.#watch();
  }

  /**
   * A subject to answer to, and what resolves or rejects with the answer; an unanswered one rejects after so many milliseconds
   * through {@link expire}.
   *
   * @throws BrokerConnectionError when there is no connection
   */
  expect(subject: string): { reply: string; answer: Promise<void> } {
    if (!this.#isConnected) {
      throw new BrokerConnectionError('NatsAdapter has no connection at the moment.');
    }
    const reply = `${this.#inbox}.${++this.#count}`;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.set(reply, { subject, resolve, reject });
    return { reply, answer: promise };
  }

  /** Nobody waits for this one any more. */
  forget(reply: string): void {
    this.#waiting.delete(reply);
  }

  close(): void {
    this.#subscription.unsubscribe();
    this.#rejectAll();
  }

  #answered(message: Msg): void {
    const waiting = this.#waiting.get(message.subject);
    if (waiting === undefined) return;
    this.#waiting.delete(message.subject);
    const refused = refusalOf(message, waiting.subject);
    if (refused === undefined) waiting.resolve();
    else waiting.reject(refused);
  }

  /** Rejects what nobody will answer any more as soon as the connection is gone. */
  async #watch(): Promise<void> {
    for await (const { type } of this.connection.status()) {
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

function refusalOf(message: Msg, subject: string): Error | undefined {
  // Without a body, it is NATS itself that says that nobody listens.
  if (message.data.length === 0) return uncovered(subject);
  const { error } = message.json<{ error?: { code: number; description: string } }>();
  return error === undefined
    ? undefined
    : new BrokerRefusedError(
        `JetStream refused what was published to '${subject}': ${error.description} (${error.code}).`,
      );
}

/** No stream takes what is published there. */
export function uncovered(subject: string): BrokerRefusedError {
  return new BrokerRefusedError(
    `No stream of JetStream covers the subject '${subject}', so that nothing would be kept. Add it to one, for example: nats stream add ORDERS --subjects '${subject}'.`,
  );
}
