import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission, type Emission } from 'nestjs-emissions';
import { EmissionsDurableModule } from 'nestjs-emissions/durable';
import { start, type RunningApp } from '../support/app.js';
import { DATABASES, type TestDatabase } from '../support/databases.js';
import { nextRound, until } from '../support/until.js';

@Injectable()
class Handlers {
  readonly done: string[] = [];
  readonly running: string[] = [];
  readonly most = new Map<string, number>();

  @OnEmission('work', { durable: true, concurrency: 4, tenantConcurrency: 2 })
  async work(_: unknown, { tenant = '' }: Emission): Promise<void> {
    this.running.push(tenant);
    const own = this.running.filter((each) => each === tenant).length;
    this.most.set(tenant, Math.max(own, this.most.get(tenant) ?? 0));
    await nextRound();
    this.running.splice(this.running.indexOf(tenant), 1);
    this.done.push(tenant);
  }
}

describe.each(DATABASES)("A tenant's share on %s", (_, makeDatabase) => {
  let database: TestDatabase;
  let running: RunningApp;

  beforeAll(async () => {
    database = await makeDatabase();
    running = await start({
      imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(database.options)],
      providers: [Handlers],
    });
  }, 60_000);

  afterAll(async () => {
    await running.close();
    await database[Symbol.asyncDispose]();
  });

  it.each([
    ['without a key', undefined],
    ['with keys', 'k'],
  ])(
    'is not exceeded, so that a tenant with many leaves room to others, %s',
    async (_each, key) => {
      const { emissions, app } = running;
      const { done, most } = app.get(Handlers);
      done.length = 0;
      most.clear();
      await emissions.run(() => {
        for (let i = 0; i < 90; i++) {
          emissions.emit('work', i, {}, { tenant: 'noisy', ...(key && { key: `noisy-${i}` }) });
        }
        for (let i = 0; i < 10; i++) {
          emissions.emit('work', i, {}, { tenant: 'quiet', ...(key && { key: `quiet-${i}` }) });
        }
      });
      await until(() => done.length === 100);
      expect(most.get('noisy')).toBeLessThanOrEqual(2);
      expect(most.get('quiet')).toBeLessThanOrEqual(2);
      // They were stored behind all of the other's.
      expect(done.lastIndexOf('quiet')).toBeLessThan(50);
    },
  );
});
