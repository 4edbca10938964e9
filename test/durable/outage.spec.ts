import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission } from 'nestjs-emissions';
import { EmissionsDurableModule, type DurableOptions } from 'nestjs-emissions/durable';
import { start, type RunningApp } from '../support/app.js';
import { DATABASE_URL, postgres } from '../support/databases.js';
import { until, untilAsked } from '../support/until.js';
import { wireTo } from '../support/wire.js';

@Injectable()
class Handlers {
  readonly taken: unknown[] = [];

  @OnEmission('work', { durable: true, id: 'work' })
  take(payload: unknown): void {
    this.taken.push(payload);
  }

  readonly held: (() => void)[] = [];

  @OnEmission('held', { durable: true, id: 'held' })
  hold(): Promise<void> {
    return new Promise((resolve) => this.held.push(resolve));
  }
}

const application = (options: Partial<DurableOptions>): Promise<RunningApp> =>
  start({
    imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(options)],
    providers: [Handlers],
  });

/** The same database behind a wire. */
function behind(port: number): string {
  const url = new URL(DATABASE_URL!);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return url.href;
}

(DATABASE_URL === undefined ? describe.skip : describe)('A database that is away', () => {
  it('is asked a few times, and not once more for each commit that waits', async () => {
    await using database = await postgres();
    await using wire = await wireTo(Number(new URL(DATABASE_URL!).port || 5432));
    const connectionString = behind(wire.port);
    await using running = await application({
      ...database.options,
      connectionString,
      worker: false,
    });
    const { emissions } = running;
    const before = wire.refused;
    wire.cut();
    const commits = Array.from({ length: 100 }, () =>
      emissions.run(() => void emissions.emit('work', 1)),
    );
    for (const commit of await Promise.allSettled(commits)) {
      expect(commit).toMatchObject({ reason: { code: 'EMISSIONS_NOT_STORED' } });
    }
    // One statement for the first, one for all others; each three times.
    expect(wire.refused - before).toBeLessThanOrEqual(6);
    wire.mend();
    await emissions.run(() => void emissions.emit('work', 2));
  }, 30_000);

  it('is asked anew on other connections, where those there are have gone silent', async () => {
    await using database = await postgres();
    await using wire = await wireTo(Number(new URL(DATABASE_URL!).port || 5432));
    await using other = await application({ ...database.options, worker: false });
    const running = await application({
      ...{ ...database.options, heartbeatMs: 60_000, answerTimeoutMs: 500 },
      connectionString: behind(wire.port),
    });
    const { taken, held } = running.app.get(Handlers);
    await other.emissions.run(() => void other.emissions.emit('held', 1));
    await until(() => held.length === 1, 20_000_000);
    wire.deaden('everything');
    // What it is at is settled, what others store is found, and what it emits is stored.
    held[0]!();
    await other.emissions.run(() => void other.emissions.emit('work', 2));
    await until(() => taken.includes(2), 20_000_000);
    await untilAsked(() =>
      running.emissions
        .run(() => void running.emissions.emit('work', 3))
        .then(
          () => true,
          () => false,
        ),
    );
    await until(() => taken.includes(3), 20_000_000);
    const stateOfHeld = async () =>
      (
        await database.query(`SELECT state::text FROM ${database.schema}.job WHERE name = 'held'`)
      )[0];
    await untilAsked(async () => (await stateOfHeld())!['state'] === 'completed');
    // Those that are silent do not hold it back when it closes.
    await running.close();
    expect(held).toHaveLength(1);
  }, 60_000);
});
