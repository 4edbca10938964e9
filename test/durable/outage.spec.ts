import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission } from 'nestjs-emissions';
import { EmissionsDurableModule, type DurableOptions } from 'nestjs-emissions/durable';
import { start, type RunningApp } from '../support/app.js';
import { DATABASE_URL, postgres } from '../support/databases.js';
import { wireTo } from '../support/wire.js';

@Injectable()
class Handlers {
  readonly taken: unknown[] = [];

  @OnEmission('work', { durable: true, id: 'work' })
  take(payload: unknown): void {
    this.taken.push(payload);
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
});
