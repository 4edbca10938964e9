// How long an emission takes, over many of them, and whether all of them were heard.
const WARM_UP_MS = 400;
const MEASURED_MS = 800;
/** Work is done in groups with a turn of the event loop after each, as a server would. */
const GROUP = 100;

/** How many emissions to make instead, for who counts instructions. */
const COUNTED = Number(process.env.BENCH_EMISSIONS ?? 0);

/** Nanoseconds per emission; `step` makes `per` emissions. */
export async function time(step, per, finish) {
  if (COUNTED > 0) return makeCounted(step, per, finish);
  const until = async (ms) => {
    const started = performance.now();
    let count = 0;
    while (performance.now() - started < ms) {
      for (let i = 0; i < GROUP; i++) await step();
      count += GROUP * per;
      await new Promise(setImmediate);
    }
    await finish();
    return { count, ns: (performance.now() - started) * 1e6 };
  };
  const warm = await until(WARM_UP_MS);
  const { count, ns } = await until(MEASURED_MS);
  return { figure: ns / count, emitted: warm.count + count };
}

async function makeCounted(step, per, finish) {
  // Time all but stands still: what depends on it is not to depend on how slow it is to be counted.
  let now = 0;
  performance.now = () => (now += 1e-6);
  let emitted = 0;
  while (emitted < COUNTED) {
    for (let i = 0; i < GROUP; i++) await step();
    emitted += GROUP * per;
    await new Promise(setImmediate);
  }
  await finish();
  return { figure: emitted, emitted };
}

export function check(handlers, count, emitted) {
  if (handlers.calls !== count * emitted || handlers.sum !== 7 * count * emitted) {
    throw new Error(`Expected ${count * emitted} calls, got ${handlers.calls} with a sum of ${handlers.sum}.`);
  }
}
