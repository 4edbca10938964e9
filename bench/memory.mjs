// What does a pending emission weigh beyond its payload?
import { Emissions, EmissionsModule } from '../dist/index.js';
import { application, payload } from './harness/applications.mjs';

const PENDING = 1_000_000;

/** Bytes per pending emission, with the payloads made (and kept) beforehand. */
function pending(consumers) {
  return async () => {
    const delivered = [];
    const adapters = Array.from({ length: consumers }, (_, i) => ({
      name: `stuck ${i}`,
      useValue: {
        deliver: (batch) => {
          delivered[i] = batch[0];
          return new Promise(() => {});
        },
      },
    }));
    const capacity = PENDING + 10_000;
    const app = await application({
      imports: [EmissionsModule.forRoot({ snapshot: 'none', pipeline: { capacity }, adapters })],
    });
    const emissions = app.get(Emissions);
    const order = payload(1);
    const fill = async (count) => {
      for (let i = 0; i < count; i += 100) {
        await emissions.run(() => {
          for (let k = 0; k < 100; k++) emissions.emit('order.created', order);
        });
        if (i % 10_000 === 0) await new Promise(setImmediate);
      }
    };
    await fill(10_000);
    const before = used();
    await fill(PENDING - 10_000);
    const bytes = (used() - before) / (PENDING - 10_000);
    const waiting = emissions.describe().adapters.map((adapter) => adapter.pending);
    if (waiting.some((count) => count !== PENDING) || delivered[0].payload !== order) {
      throw new Error(`Not everything is pending: ${waiting}.`);
    }
    return bytes;
  };
}

function used() {
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

export default {
  title: '1 million pending emissions',
  unit: 'bytes per emission beyond its payload, the smaller the better',
  rounds: 3,
  nodeOptions: ['--max-old-space-size=4096'],
  contenders: {
    '1 consumer': { run: pending(1) },
    '2 consumers': { run: pending(2) },
    '3 consumers': { run: pending(3) },
  },
  targets: [
    { id: 'P5', says: 'bytes per pending emission, 1 consumer', of: '1 consumer', atMost: 200 },
    {
      id: 'P5',
      says: 'bytes more with 3 consumers than with 1 (two more, at most 16 each)',
      of: '3 consumers',
      to: '1 consumer',
      difference: true,
      atMost: 32,
    },
  ],
};
