import type { OwedEmission } from './delivery.js';
import type { DeliveryStore } from './delivery.store.js';
import { NoAnswerError } from '../durable.errors.js';

/** Up to how many emissions go into one statement. */
const MOST_AT_ONCE = 1_000;
/** How long to wait before asking again, when the database did not answer. */
const PAUSES_MS = [50, 250];

interface Waiting {
  readonly owed: readonly OwedEmission[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Stores what commits outside of transactions owe: one statement at a time, in the order the commits came, and what came meanwhile
 * together in the next. That keeps their order whatever connection is used, and costs the database one transaction for many.
 */
export class GroupCommit {
  readonly #store: DeliveryStore;
  readonly #stored: (queues: ReadonlySet<string>) => void;
  readonly #waiting: Waiting[] = [];
  #running = false;

  constructor(store: DeliveryStore, stored: (queues: ReadonlySet<string>) => void) {
    this.#store = store;
    this.#stored = stored;
  }

  /** Resolves when it is stored; rejects when it is not, and then it is nobody's. */
  add(owed: readonly OwedEmission[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ owed, resolve, reject });
    if (!this.#running) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const together = this.#next();
      try {
        // oxlint-disable-next-line no-await-in-loop -- one behind another
        await this.#keep(together.flatMap(({ owed }) => owed));
        for (const { resolve } of together) resolve();
      } catch (error) {
        // With no database, each for itself would only wait behind the others.
        if (together.length === 1 || isOutOfReach(error))
          for (const { reject } of together) reject(error);
        // One of them is to blame: each for itself.
        // oxlint-disable-next-line no-await-in-loop
        else await this.#oneByOne(together);
      }
    }
    this.#running = false;
  }

  /** As many whole commits as fit. */
  #next(): Waiting[] {
    let count = 0;
    const end = this.#waiting.findIndex(
      ({ owed }, i) => (count += owed.length) > MOST_AT_ONCE && i > 0,
    );
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
  }

  async #oneByOne(together: readonly Waiting[]): Promise<void> {
    for (const { owed, resolve, reject } of together) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- in their order
        await this.#keep(owed);
        resolve();
      } catch (error) {
        reject(error);
      }
    }
  }

  /** Asking twice stores once: an answer that was lost does no harm. */
  async #keep(owed: readonly OwedEmission[]): Promise<void> {
    for (const pauseMs of [...PAUSES_MS, undefined]) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- again and again
        await this.#store.accept(owed);
        break;
      } catch (error) {
        if (pauseMs === undefined || !isPassing(error)) throw error;
        // oxlint-disable-next-line no-await-in-loop
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
    this.#stored(
      new Set(
        owed
          .filter(({ delayMs }) => delayMs <= 0)
          .flatMap((each) => each.owed.map(({ queue }) => queue)),
      ),
    );
  }
}

const IN_EACH_OTHERS_WAY = /^(40001|40P01)/;
const CONNECTION =
  /^(08|53300|57P0|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)/;
const SAID_OF_CONNECTION =
  /connection (terminated|ended|closed)|client has encountered a connection error/i;
const TOO_SLOW_TO_CONNECT = 'timeout exceeded when trying to connect';

/** Transactions were in each other's way, or the server is going down or coming up: it is worth asking again. */
function isPassing(error: unknown): boolean {
  return IN_EACH_OTHERS_WAY.test(codeOf(error)) || isBroken(error);
}

/** Nothing at all can be stored at present. */
function isOutOfReach(error: unknown): boolean {
  return (
    error instanceof NoAnswerError ||
    isBroken(error) ||
    String(Object(error).message).includes(TOO_SLOW_TO_CONNECT)
  );
}

function isBroken(error: unknown): boolean {
  return CONNECTION.test(codeOf(error)) || SAID_OF_CONNECTION.test(String(Object(error).message));
}

function codeOf(error: unknown): string {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
