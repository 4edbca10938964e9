/**
 * Lets what one connection asks about one channel be done in the order it was asked, however long each takes; what it asks
 * about other channels goes on beside it.
 */
export class ChannelTurns {
  /** How many requests are not answered yet. */
  waiting = 0;
  /** For each channel, when the last that was asked about it is done. */
  readonly #last = new Map<string, Promise<void>>();

  /** Acts when all that was asked about the channel before is done; settles as the action does. */
  take<T>(channel: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(channel);
    const turn = before === undefined ? act() : before.then(act);
    const over = (): void => {
      this.waiting--;
      if (this.#last.get(channel) === done) this.#last.delete(channel);
    };
    const done = turn.then(over, over);
    this.waiting++;
    this.#last.set(channel, done);
    return turn;
  }
}
