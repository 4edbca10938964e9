import { describe, expect, it } from '@jest/globals';
import {
  ConfigurationError,
  durationOf,
  InvalidEmissionError,
  PayloadError,
} from 'nestjs-emissions';
import { lab } from './support/lab.js';
import { captureLogs } from './support/logs.js';

const names = { success: 'import.done', failure: 'import.failed' };

/** Does a bit of work that surely takes time. */
function work(): number {
  const begun = performance.now();
  let sum = 0;
  while (performance.now() - begun < 3) sum += Math.sqrt(sum + 1);
  return sum;
}

describe('record', () => {
  it('emits what the work gives, with how long it took, and gives it back', async () => {
    await using at = await lab();
    let took = 0;
    const result = await at.emissions.run(() =>
      at.emissions.record(names, async () => {
        const begun = performance.now();
        await Promise.resolve();
        work();
        took = performance.now() - begun;
        return { rows: 3 };
      }),
    );
    expect(result).toEqual({ rows: 3 });
    const [emission] = await at.delivered();
    expect(emission).toMatchObject({ name: 'import.done', payload: { rows: 3 } });
    expect(durationOf(emission!)).toBeGreaterThanOrEqual(Math.floor(took));
    expect(emission!.initializedAt).toBeLessThan(emission!.occurredAt);
  });

  it('says how long it took where nothing is buffered, too', async () => {
    await using at = await lab({ unbuffered: 'deliver' });
    await at.emissions.record(names, work);
    const [emission] = await at.delivered();
    expect(durationOf(emission!)).toBeGreaterThan(0);
  });

  it('makes the payload and takes metadata and the options of emit', async () => {
    await using at = await lab();
    const options = {
      ...names,
      payload: (rows: number) => ({ rows }),
      metadata: { by: 'cron' },
      key: 'k',
      tenant: 't',
      source: 's',
    };
    await at.emissions.run(() => at.emissions.record(options, () => 3));
    expect((await at.delivered())[0]).toMatchObject({
      payload: { rows: 3 },
      metadata: { by: 'cron' },
      key: 'k',
      tenant: 't',
      source: 's',
    });
  });

  it('stands in its unit of work: same correlation id, in order', async () => {
    await using at = await lab();
    await at.emissions.run(async () => {
      at.emissions.emit('before');
      await at.emissions.record(names, () => void at.emissions.emit('within'));
    });
    const delivered = await at.delivered();
    expect(delivered.map(({ name }) => name)).toEqual(['before', 'within', 'import.done']);
    expect(new Set(delivered.map(({ correlationId }) => correlationId)).size).toBe(1);
  });

  it('emits failure with an error that the work returns, and gives that back', async () => {
    await using at = await lab();
    const error = new Error('bad row');
    const result = await at.emissions.run(() => at.emissions.record(names, () => error));
    expect(result).toBe(error);
    const [emission] = await at.delivered();
    expect(emission).toMatchObject({ name: 'import.failed', payload: { message: 'bad row' } });
    expect(emission!.payload).toBeInstanceOf(Error);
  });

  it('emits success with a returned error when no failure is named', async () => {
    await using at = await lab();
    const error = new Error('bad row');
    await at.emissions.run(() => at.emissions.record({ success: 'import.done' }, () => error));
    expect((await at.delivered())[0]).toMatchObject({
      name: 'import.done',
      payload: { message: 'bad row' },
    });
  });

  it('lets an error of the work reach the caller and, with its unit of work, emits nothing', async () => {
    await using at = await lab();
    const error = new Error('no');
    const run = at.emissions.run(() => at.emissions.record(names, () => Promise.reject(error)));
    await expect(run).rejects.toBe(error);
    expect(await at.names()).toEqual([]);
  });

  it('emits failure with the error where the unit of work goes on', async () => {
    await using at = await lab();
    await at.emissions.run(async () => {
      const failing = (): never => {
        work();
        throw new Error('no');
      };
      await expect(at.emissions.record(names, failing)).rejects.toThrow('no');
      const unnamed = at.emissions.record({ success: 'import.done' }, failing);
      await expect(unnamed).rejects.toThrow('no');
    });
    const [failed, ...rest] = await at.delivered();
    expect(failed).toMatchObject({ name: 'import.failed', payload: { message: 'no' } });
    expect(durationOf(failed!)).toBeGreaterThan(0);
    expect(rest).toEqual([]);
  });

  it('never hides the error of the work: what of it cannot be copied is left out', async () => {
    await using at = await lab();
    const error = Object.assign(new TypeError('refused'), { code: 'ECONNREFUSED', request: {} });
    error.request = { error, retry: () => {} };
    await at.emissions.run(async () => {
      await expect(at.emissions.record(names, () => Promise.reject(error))).rejects.toBe(error);
      expect(await at.emissions.record(names, () => error)).toBe(error);
    });
    const delivered = await at.delivered();
    expect(delivered).toHaveLength(2);
    for (const { payload } of delivered) {
      expect(payload).toMatchObject({
        name: 'TypeError',
        message: 'refused',
        code: 'ECONNREFUSED',
      });
      expect(payload).not.toHaveProperty('request');
      expect((payload as Error).stack).toBe(error.stack);
    }
  });

  it.each([['text'], [undefined], [{ message: 1, self: () => {} }]])(
    'copes with an error that is none: %p',
    async (thrown) => {
      await using at = await lab();
      await at.emissions.run(async () => {
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        const recorded = at.emissions.record(names, () => Promise.reject(thrown));
        await expect(recorded).rejects.toBe(thrown);
      });
      expect(await at.names()).toEqual(['import.failed']);
    },
  );

  it('never hides the error of the work behind its own: that is logged', async () => {
    await using at = await lab({ unbuffered: 'throw' });
    using logs = captureLogs();
    const recorded = at.emissions.record(names, () => Promise.reject(new Error('no')));
    await expect(recorded).rejects.toThrow('no');
    expect(logs.of('error')).toEqual([
      expect.stringContaining("'import.failed' could not be emitted"),
    ]);
  });

  it('refuses a result that cannot be copied', async () => {
    await using at = await lab();
    const run = at.emissions.run(() => at.emissions.record(names, () => ({ close: () => {} })));
    await expect(run).rejects.toThrow(PayloadError);
  });

  it.each([{ success: '' }, { success: 'ok', failure: 'not ok' }])(
    'refuses a name that is none before the work begins: %j',
    async (options) => {
      await using at = await lab();
      let begun = false;
      const recorded = at.emissions.record(options, () => (begun = true));
      await expect(recorded).rejects.toThrow(InvalidEmissionError);
      expect(begun).toBe(false);
    },
  );

  const line = String.raw`Write: emissions\.record\(\{ success: `;
  it.each<[string, unknown, unknown, string]>([
    ['work', names, 'x', `record takes the work as a function, but got 'x'\\. ${line}`],
    ['options', null, () => 1, `record takes an object of options, but got null\\. ${line}`],
    ['payload', { ...names, payload: 1 }, () => 1, 'record.payload takes a function, but got 1'],
  ])('refuses %s of another kind, before the work begins', async (_, options, work, message) => {
    await using at = await lab();
    let begun = false;
    const spied = typeof work === 'function' ? () => void (begun = true) : work;
    const recorded = at.emissions.record(options as never, spied as never);
    await expect(recorded).rejects.toThrow(ConfigurationError);
    await expect(recorded).rejects.toThrow(new RegExp(`^${message}`));
    expect(begun).toBe(false);
  });
});

describe('record, before the work begins,', () => {
  it.each([
    [{ success: 'a', fail: 'b' }, /record has no option "fail"\. It has: .*failure.*success/],
    [{ success: 'a', key: 5 }, /record's option key takes a non-empty string, but got 5/],
    [{ success: 'a', metadata: 5 }, /Metadata is an object of fields, but got 5/],
  ])('refuses what emit would refuse afterwards: %j', async (options, message) => {
    await using at = await lab();
    let isDone = false;
    const recording = at.emissions.record(options as never, () => void (isDone = true));
    await expect(recording).rejects.toThrow(InvalidEmissionError);
    await expect(recording).rejects.toThrow(message);
    expect(isDone).toBe(false);
  });
});
