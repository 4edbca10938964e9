/** What one socket has asked for and not been answered yet. */
interface Asked {
  count: number;
  /** For each channel, when the last that was asked about it is done. */
  readonly last: Map<string, Promise<void>>;
}

/**
 * Lets what one socket asks about one channel be done in the order it was asked, however long each takes; what it asks about
 * other channels, and what other sockets ask, goes on beside it.
 */
export class ChannelTurns {
  readonly #asked = new WeakMap<object, Asked>();

  /** How many of a socket's requests are not answered yet. */
  waiting(socket: object): number {
    return this.#asked.get(socket)?.count ?? 0;
  }

  /** Acts when all that the socket asked about the channel before is done; settles as the action does. */
  take<T>(socket: object, channel: string, act: () => Promise<T>): Promise<T> {
    const asked = this.#of(socket);
    const before = asked.last.get(channel);
    const turn = before === undefined ? act() : before.then(act);
    const over = (): void => {
      asked.count--;
      if (asked.last.get(channel) === done) asked.last.delete(channel);
    };
    const done = turn.then(over, over);
    asked.count++;
    asked.last.set(channel, done);
    return turn;
  }

  #of(socket: object): Asked {
    const known = this.#asked.get(socket);
    if (known !== undefined) return known;
    const asked: Asked = { count: 0, last: new Map() };
    this.#asked.set(socket, asked);
    return asked;
  }
}
