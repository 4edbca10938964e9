/**
 * One process of an application that is to be killed: emits when it is told to, says on its output what has been committed, and
 * writes down in the database what its handler does.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Emissions,
  EmissionsModule,
  OnEmission,
  type Emission,
  type HandlerContext,
} from 'nestjs-emissions';
import { EmissionsDurableModule } from 'nestjs-emissions/durable';
import pg from 'pg';

const {
  DATABASE_URL,
  SCHEMA,
  HEARTBEAT_MS,
  WORKER_NAME,
  HANDLER_MS = '5',
  KEYS = '20',
  KEYS_OF = WORKER_NAME,
} = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 8 });
pool.on('error', () => {});

/** Until the database answers: what the test looks at must not be lost by the test's own fault. */
async function write(text: string, values: unknown[]): Promise<void> {
  for (;;) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- again and again
      await pool.query(text, values as never);
      return;
    } catch {
      // oxlint-disable-next-line no-await-in-loop
      await pause(50);
    }
  }
}

@Injectable()
class Handlers {
  @OnEmission('work', {
    durable: true,
    id: 'work',
    concurrency: 20,
    maxAttempts: 100,
    retry: { backoffMs: 10, factor: 1 },
  })
  async work(
    payload: { fails?: boolean },
    { id, key }: Emission,
    { attempt }: HandlerContext,
  ): Promise<void> {
    await write(`INSERT INTO ${SCHEMA}.runs (id, key, worker, attempt) VALUES ($1, $2, $3, $4)`, [
      id,
      key,
      WORKER_NAME,
      attempt,
    ]);
    await pause(Math.random() * 2 * Number(HANDLER_MS));
    const ended = payload.fails === true && attempt === 1 ? 'failed' : 'done';
    await write(
      `UPDATE ${SCHEMA}.runs SET ended = clock_timestamp(), outcome = $4 WHERE id = $1 AND worker = $2 AND attempt = $3`,
      [id, WORKER_NAME, attempt, ended],
    );
    if (ended === 'failed') throw new Error('once');
  }
}

@Module({
  imports: [
    EmissionsModule.forRoot(),
    EmissionsDurableModule.forRoot({
      connectionString: DATABASE_URL!,
      schema: SCHEMA!,
      ...(HEARTBEAT_MS !== undefined && { heartbeatMs: Number(HEARTBEAT_MS), pollMs: 200 }),
    }),
  ],
  providers: [Handlers],
})
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: ['error'] });
const emissions = app.get(Emissions);
let n = 0;

/** Commits so many emissions, ten at a time, and says which have been committed. */
async function emit(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 10) {
    const ids: string[] = [];
    try {
      // oxlint-disable-next-line no-await-in-loop -- one commit behind another: their order is looked at
      await emissions.run(() => {
        for (let i = 0; i < Math.min(10, left); i++, n++) {
          const key = `${KEYS_OF}-${n % Number(KEYS)}`;
          const fails = n % 50 === 0;
          ids.push(emissions.emit('work', { n, fails }, {}, { key })!.id);
        }
      });
      process.stdout.write(`committed ${ids.join(',')}\n`);
    } catch (error) {
      process.stdout.write(`refused ${(error as Error).message.replaceAll('\n', ' ')}\n`);
      // oxlint-disable-next-line no-await-in-loop
      await pause(50);
    }
  }
}

process.on('message', (count: number) => void emit(count).then(() => process.send?.('emitted')));
process.on('SIGTERM', () => void app.close().then(() => process.exit(0)));
// Nobody is left who would stop it.
process.on('disconnect', () => process.exit(1));
process.send?.('ready');
