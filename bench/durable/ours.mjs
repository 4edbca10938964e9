// nestjs-emissions: a Nest application on a schema of its own.
import { Emissions, EmissionsModule, OnEmission } from '../../dist/index.js';
import { EmissionsDurableModule } from '../../dist/durable/index.js';
import { application, decorate } from '../harness/applications.mjs';
import { batches, Checked, CONCURRENCY, keyOf, latency, ofTenants, rate, TENANTS, Waits } from './scenario.mjs';
import { connectionString, withSchema } from './schema.mjs';

function starting(schema, options, handle) {
  class Handlers {
    take(order, emission) {
      return handle(order, emission);
    }
  }
  decorate(Handlers, 'take', OnEmission('work', { durable: true, concurrency: CONCURRENCY, ...options }));
  return (worker) =>
    application({
      imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot({ connectionString, schema, worker })],
      providers: [Handlers],
    });
}

/** Deliveries a second of one process with a handler that does nothing, from a backlog. */
export const ours = (count, keys) => () =>
  withSchema(async (schema) => {
    const checked = new Checked(count);
    const start = starting(schema, {}, ({ n }, { key }) => checked.take(n, key));
    const producer = await start(false);
    const emissions = producer.get(Emissions);
    for (const batch of batches(count)) {
      await emissions.run(() => {
        for (const order of batch) emissions.emit('work', order, undefined, { key: keyOf(order.n, keys) });
      });
    }
    await producer.close();
    const worker = await start(true);
    return rate(count, async () => {
      await checked.all;
      // Closing settles what is done.
      await worker.close();
    });
  });

/** Milliseconds from the commit's beginning to the handler's. */
export const ourLatency = () =>
  withSchema((schema) =>
    latency(async (hear) => {
      const app = await starting(schema, {}, hear)(true);
      const emissions = app.get(Emissions);
      return {
        send: (order) => emissions.run(() => void emissions.emit('work', order)),
        close: () => app.close(),
      };
    }),
  );

/** How long the others wait behind a tenant that has very many. */
export const ourTenants = (options) => () =>
  withSchema(async (schema) => {
    const waits = new Waits();
    const start = starting(schema, options, (_, { tenant }) => waits.take(tenant));
    const producer = await start(false);
    const emissions = producer.get(Emissions);
    await emissions.run(() => {
      for (const [tenant, order] of ofTenants()) emissions.emit('work', order, undefined, { tenant });
    });
    await producer.close();
    waits.start();
    const worker = await start(true);
    await waits.all;
    await worker.close();
    return waits.p95;
  });

export const fair = { tenantConcurrency: TENANTS.share };
