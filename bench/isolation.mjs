// What does a consumer that is stuck cost the others, and does cost grow with consumers, names and patterns?
import { Emissions, EmissionsModule, OnEmission } from '../dist/index.js';
import { application, handlersClass, payload } from './harness/applications.mjs';

const EMISSIONS = 2_400_000;
const WARM_UP = 600_000;

class Fast {
  count = 0;
  deliver(batch) {
    this.count += batch.length;
  }
}

/** As fast, and keeps the newest thousand, as the queue of a stuck one has to. */
class Keeping extends Fast {
  kept = Array.from({ length: 1_000 });
  deliver(batch) {
    for (const emission of batch) this.kept[this.count++ % 1_000] = emission;
  }
}

const stuck = { deliver: () => new Promise(() => {}) };
/** Takes a turn of the event loop for each batch. */
const slow = { deliver: () => new Promise((resolve) => setTimeout(resolve, 5)) };
const shedding = (overflow) => ({ overflow, capacity: 1_000 });

/** Emissions a second that every fast adapter has delivered. */
function fast(others, { fastAdapters = 2, names = 1, overflow = 'drop-oldest' } = {}) {
  return async () => {
    const adapters = Array.from({ length: fastAdapters }, () => new Fast());
    const app = await application({
      imports: [
        EmissionsModule.forRoot({
          snapshot: 'none',
          pipeline: { capacity: 100_000 },
          adapters: [
            ...adapters.map((useValue, i) => ({ name: `fast ${i}`, useValue })),
            ...others.map((useValue, i) => ({ name: `other ${i}`, useValue, consumer: shedding(overflow) })),
          ],
        }),
      ],
    });
    const rate = await throughput(app.get(Emissions), adapters, names);
    return rate;
  };
}

async function throughput(emissions, adapters, names) {
  const order = payload(1);
  const all = Array.from({ length: names }, (_, i) => `name.${i}`);
  let emitted = 0;
  const emit = async (count) => {
    const target = emitted + count;
    while (emitted < target) {
      for (let i = 0; i < 100; i++) {
        await emissions.run(() => {
          for (let k = 0; k < 3; k++) emissions.emit(all[emitted++ % names], order);
        });
      }
      await new Promise(setImmediate);
    }
    while (adapters.some(({ count: delivered }) => delivered < emitted)) await new Promise(setImmediate);
  };
  await emit(WARM_UP);
  const before = emitted;
  const started = performance.now();
  await emit(EMISSIONS);
  const seconds = (performance.now() - started) / 1_000;
  if (adapters.some(({ count }) => count !== emitted)) throw new Error('An adapter got too much.');
  return (emitted - before) / seconds;
}

/** Emissions a second with handlers whose patterns do not match. */
function patterns(count) {
  return async () => {
    const providers = Array.from({ length: count }, (_, i) =>
      handlersClass(1, false, OnEmission(i % 2 === 0 ? `other.${i}.*` : new RegExp(`^never-${i}`))),
    ).map((useClass, i) => ({ provide: `handlers ${i}`, useClass }));
    const adapter = new Fast();
    for (const [i, { useClass }] of providers.entries()) Object.defineProperty(useClass, 'name', { value: `Handlers${i}` });
    const app = await application({
      imports: [
        EmissionsModule.forRoot({
          snapshot: 'none',
          pipeline: { capacity: 100_000 },
          adapters: [{ name: 'fast', useValue: adapter }],
        }),
      ],
      providers,
    });
    return throughput(app.get(Emissions), [adapter], 1);
  };
}

export default {
  title: 'fast adapters beside a stuck and a slow one; more consumers, names and patterns',
  unit: 'emissions per second that all fast adapters have delivered, the greater the better',
  rounds: 5,
  contenders: {
    '2 fast': { run: fast([]) },
    '2 fast, 1 stuck': { run: fast([stuck]), label: 'it sheds its oldest' },
    '2 fast, 1 stuck, shedding its newest': { run: fast([stuck], { overflow: 'drop-newest' }) },
    '2 fast, 1 stuck, 1 slow': { run: fast([stuck, slow]) },
    '2 fast, 1 more': { run: fast([new Fast()]), label: 'a third adapter, which is as fast' },
    '2 fast, 1 more that keeps': { run: fast([new Keeping()]), label: 'a third, which keeps the newest 1,000' },
    '1 consumer': { run: fast([], { fastAdapters: 1 }) },
    '3 consumers': { run: fast([], { fastAdapters: 3 }) },
    '10 consumers': { run: fast([], { fastAdapters: 10 }) },
    '50 consumers': { run: fast([], { fastAdapters: 50 }) },
    '10 names': { run: fast([], { fastAdapters: 1, names: 10 }) },
    '100 names': { run: fast([], { fastAdapters: 1, names: 100 }) },
    '1,000 names': { run: fast([], { fastAdapters: 1, names: 1_000 }) },
    '100 patterns that do not match': { run: patterns(100) },
  },
  targets: [
    {
      id: 'P4',
      says: 'throughput of 2 fast adapters beside a stuck one',
      of: '2 fast, 1 stuck',
      to: '2 fast',
      floor: { of: '2 fast, 1 more that keeps' },
      atLeast: 0.95,
    },
    {
      id: 'P4',
      says: 'the same beside one that sheds its newest',
      of: '2 fast, 1 stuck, shedding its newest',
      to: '2 fast',
      floor: { of: '2 fast, 1 more' },
      atLeast: 0.95,
    },
    {
      id: 'growth',
      says: 'throughput with 1,000 names against 10',
      of: '1,000 names',
      to: '10 names',
      atLeast: 0.8,
    },
    {
      id: 'growth',
      says: 'throughput with 100 patterns that do not match against none',
      of: '100 patterns that do not match',
      to: '1 consumer',
      atLeast: 0.9,
    },
  ],
};
