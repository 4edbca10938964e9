import { assertName } from './emission-name.js';
import { ConfigurationError } from './emission.errors.js';
import { quote } from './quote.js';

/** Topics and the names that belong to each. */
export type TopicMap = Readonly<Record<string, readonly string[]>>;

/**
 * Checks a topic map and gives it back, so that a mistake shows where it is written.
 *
 * @throws ConfigurationError when a name stands under two topics, or when a topic or a name is malformed
 */
export function defineTopics<const T extends TopicMap>(topics: T): T {
  new TopicRouter().registerAll(topics);
  return topics;
}

const NONE: readonly string[] = Object.freeze([]);

/** Knows which topic a name belongs to. Inject it to ask, or to register and unregister topics at run time. */
export class TopicRouter {
  readonly #names = new Map<string, readonly string[]>();
  readonly #topics = new Map<string, string>();
  #version = 0;

  /** Grows with every change, so that answers may be remembered. */
  get version(): number {
    return this.#version;
  }

  /** The topic a name belongs to, or `undefined`. */
  topicOf(name: string): string | undefined {
    return this.#topics.get(name);
  }

  /** All topics, in the order they were registered. */
  topics(): string[] {
    return [...this.#names.keys()];
  }

  /** The names of a topic, in their order; empty for an unknown topic. */
  namesOf(topic: string): readonly string[] {
    return this.#names.get(topic) ?? NONE;
  }

  /**
   * Adds a topic, or names to a topic there is; saying the same twice changes nothing. Emissions made from now on carry it.
   *
   * @throws ConfigurationError when a name belongs to another topic already; nothing is registered then
   */
  register(topic: string, names: readonly string[]): void {
    if (typeof topic !== 'string' || !/^[^\s/*]{1,128}$/.test(topic)) {
      throw new ConfigurationError(
        `A topic is a string of 1 to 128 characters without white space, "/" and "*", but got ${quote(topic)}.`,
      );
    }
    if (!Array.isArray(names)) {
      throw new ConfigurationError(
        `The topic '${topic}' takes an array of names, but got ${quote(names)}.`,
      );
    }
    for (const name of names) this.#check(topic, name);
    this.#names.set(topic, Object.freeze([...new Set([...this.namesOf(topic), ...names])]));
    for (const name of names) this.#topics.set(name, topic);
    this.#version++;
  }

  /** Registers every topic of a map. @throws ConfigurationError as `register` does */
  registerAll(topics: TopicMap): void {
    if (typeof topics !== 'object' || topics === null || Array.isArray(topics)) {
      throw new ConfigurationError(
        `Topics are an object of topics and their names, such as { orders: ['order.created'] }, but got ${quote(topics)}.`,
      );
    }
    for (const [topic, names] of Object.entries(topics)) this.register(topic, names);
  }

  /** Removes a topic: emissions made from now on no longer carry it. An unknown one is no error. */
  unregister(topic: string): void {
    for (const name of this.namesOf(topic)) this.#topics.delete(name);
    this.#names.delete(topic);
    this.#version++;
  }

  #check(topic: string, name: unknown): void {
    try {
      assertName(name);
    } catch (error) {
      throw new ConfigurationError(`The topic '${topic}': ${(error as Error).message}`, {
        cause: error,
      });
    }
    const other = this.#topics.get(name);
    if (other !== undefined && other !== topic) {
      throw new ConfigurationError(
        `The name '${name}' stands under two topics, '${other}' and '${topic}'; a name belongs to one: remove it from the other.`,
      );
    }
  }
}
