import { describe, expect, it } from '@jest/globals';
import { lab } from '../support/lab.js';
import { listen } from '../support/signals.js';

const failing = async (): Promise<never> => {
  throw new Error('inner');
};

describe('hand-overs of one unit of work that have to wait', () => {
  it('go one behind another', async () => {
    await using at = await lab();
    const [first, second] = [at.commits.hold(), at.commits.hold()];
    await at.emissions.run(async () => {
      at.emissions.emit('a');
      const flushed = at.emissions.flush();
      at.emissions.emit('b');
      const committed = at.emissions.commit();
      second.pass();
      expect(at.emissions.emit('late')).toBeUndefined();
      first.pass();
      expect(await Promise.all([flushed, committed])).toEqual([1, 1]);
    });
    expect(await at.names()).toEqual(['a', 'b']);
  });

  it('keep the order when the earlier one is refused: the later one takes it along', async () => {
    await using at = await lab();
    const first = at.commits.hold();
    await at.emissions.run(async () => {
      at.emissions.emit('a');
      const flushed = at.emissions.flush();
      at.emissions.emit('b');
      const committed = at.emissions.commit();
      first.refuse(new Error('full'));
      await expect(flushed).rejects.toThrow('full');
      expect(await committed).toBe(2);
    });
    expect(await at.names()).toEqual(['a', 'b']);
  });

  it('take nothing from the buffer around a run that has joined it before their turn', async () => {
    await using at = await lab();
    const first = at.commits.hold();
    await at.emissions.run(async () => {
      at.emissions.emit('a');
      const flushed = at.emissions.flush();
      await at.emissions.run(async () => {
        at.emissions.emit('b');
        const queued = at.emissions.flush();
        expect(await at.emissions.commit()).toBe(1);
        first.pass();
        expect(await queued).toBe(0);
      });
      expect(await flushed).toBe(1);
      expect(await at.names()).toEqual(['a']);
    });
    expect(await at.names()).toEqual(['a', 'b']);
  });

  it('are dropped and signalled when they are refused after the unit has failed', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:terminated', 'emissions:emission:dropped');
    const first = at.commits.hold();
    let flushed: Promise<number> | undefined;
    const run = at.emissions.run(async () => {
      at.emissions.emit('a');
      flushed = at.emissions.flush();
      at.emissions.emit('b');
      await failing();
    });
    await expect(run).rejects.toThrow('inner');
    const refusal = new Error('full');
    first.refuse(refusal);
    await expect(flushed).rejects.toBe(refusal);
    expect(await at.names()).toEqual([]);
    expect(log.all.map(({ message }) => message)).toEqual([
      { count: 1, savepoint: false },
      { reason: 'buffer-closed', emission: 'a', count: 1 },
    ]);
  });
});
