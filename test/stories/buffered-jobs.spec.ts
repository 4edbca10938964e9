import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Buffered, Emissions } from 'nestjs-emissions';
import { holdCommits } from '../support/hold-commits.js';
import { recorded } from '../support/recorded.js';
import { listen } from '../support/signals.js';
import { nextRound, rounds, until } from '../support/until.js';

/** What runs outside requests: a cron job, a queue worker. */
@Injectable()
class Nightly {
  /** Days that are being closed; each goes on when as many have begun as are expected. */
  begun = 0;
  expected = 1;

  constructor(private readonly emissions: Emissions) {}

  @Buffered()
  async close(day: number): Promise<boolean> {
    const taken = this.emissions.emit('day.closed', day) !== undefined;
    this.begun++;
    await until(() => this.begun >= this.expected);
    await this.report(day);
    if (day < 0) throw new Error('no such day');
    return taken;
  }

  @Buffered()
  async report(day: number): Promise<void> {
    await nextRound();
    this.emissions.emit('day.reported', day);
    if (day === 0) throw new Error('nothing to report');
  }

  /** Goes on without the report when there is none. */
  @Buffered()
  async tryToReport(day: number): Promise<void> {
    this.emissions.emit('day.closed', day);
    await this.report(day).catch(() => {});
  }

  @Buffered()
  shout(day: number): number {
    this.emissions.emit('day.shouted', day);
    return day;
  }

  async unmarked(day: number): Promise<boolean> {
    await nextRound();
    return this.emissions.emit('day.closed', day) !== undefined;
  }
}

async function open() {
  const at = await recorded('default', { providers: [Nightly] });
  const committed = () => at.recorder.all().map(({ name, payload }) => [name, payload]);
  return { ...at, nightly: at.app.get(Nightly), committed };
}

describe('a method marked @Buffered(), outside any request', () => {
  it('commits when it resolves, and gives its result when that is done', async () => {
    await using at = await open();
    using log = listen('emissions:buffer:committed');
    const held = holdCommits(at.emissions);
    let closed: unknown = 'not yet';
    const closing = at.nightly.close(1).then((result) => (closed = result));
    await held.reached;
    await rounds();
    expect(closed).toBe('not yet');
    held.pass();
    expect(await closing).toBe(true);
    expect(at.committed()).toEqual([
      ['day.closed', 1],
      ['day.reported', 1],
    ]);
    expect(log.all.map(({ message }) => message.count)).toEqual([2]);
  });

  it('delivers nothing when it throws', async () => {
    await using at = await open();
    using log = listen('emissions:buffer:terminated');
    await expect(at.nightly.close(-1)).rejects.toThrow('no such day');
    expect(log.all.map(({ message }) => message)).toEqual([{ count: 2, savepoint: false }]);
    expect(at.committed()).toEqual([]);
  });

  it('throws what its commit fails with, and delivers nothing', async () => {
    await using at = await open();
    const refuse = (): never => {
      throw new Error('not now');
    };
    at.emissions.subscribe('day.reported', refuse, { critical: true });
    await expect(at.nightly.close(1)).rejects.toThrow('not now');
    expect(at.committed()).toEqual([]);
  });

  it('is a savepoint of another one: what it emitted goes, and the rest stays, when it throws', async () => {
    await using at = await open();
    using log = listen('emissions:buffer:started');
    await at.nightly.tryToReport(0);
    expect(at.recorder).toHaveEmitted('day.closed', { payload: 0 });
    expect(at.recorder).not.toHaveEmitted('day.reported');
    expect(log.all).toHaveLength(1);
  });

  it('has a buffer for each call of several at once', async () => {
    await using at = await open();
    at.nightly.expected = 3;
    const results = await Promise.allSettled([1, -2, 3].map((day) => at.nightly.close(day)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const delivered = at.committed();
    expect(delivered.filter(([, day]) => day === 1)).toEqual([
      ['day.closed', 1],
      ['day.reported', 1],
    ]);
    expect(delivered.filter(([, day]) => day === 3)).toEqual([
      ['day.closed', 3],
      ['day.reported', 3],
    ]);
    expect(delivered).toHaveLength(4);
    const ids = new Map(at.recorder.all().map((each) => [each.payload, each.correlationId]));
    expect(new Set(ids.values()).size).toBe(2);
  });

  it('returns a promise when it is synchronous itself', async () => {
    await using at = await open();
    const result: unknown = at.nightly.shout(1);
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toBe(1);
    expect(at.committed()).toEqual([['day.shouted', 1]]);
  });

  it('leaves nothing behind for the next one that is not marked', async () => {
    await using at = await open();
    await at.nightly.close(1);
    expect(await at.nightly.unmarked(2)).toBe(false);
    expect(at.committed()).toHaveLength(2);
  });
});
