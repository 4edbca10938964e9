/**
 * `npm run soak:brokers`: the long form of `test/brokers/faults.spec.ts`. While an application emits, the servers that its adapters
 * deliver to are killed and started again, and connections are cut, reset in the middle of a batch, or lose what goes through them, at
 * random. Prints for each adapter what was lost, repeated and out of order. Exits with 1 when one has not kept its promise.
 *
 *   --seconds 60 --only NATS
 *
 * It brings up servers of its own, which write to the disk before they say that they have something.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import '../test/support/typescript.hooks.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    only: { type: 'string', default: '' },
  },
});
// Ends with what it has started.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const { brokenBy, FaultLab, PATIENT } = await import('../test/support/faults/fault.lab.ts');
const { HTTP } = await import('../test/support/faults/http.ts');
const { NATS } = await import('../test/support/faults/nats.ts');
const { RABBITMQ } = await import('../test/support/faults/rabbitmq.ts');
const { REDIS } = await import('../test/support/faults/redis.ts');
const { TCP } = await import('../test/support/faults/tcp.ts');

for (const which of [REDIS, RABBITMQ, NATS, HTTP, TCP]) {
  if (!which.name.includes(values.only)) continue;
  if (which.missing === undefined) await soak(which);
  else console.log(`${which.name}: skipped, ${which.missing}`);
}

async function soak(which) {
  await using server = await which.start();
  // Nothing is refused, however long a server takes to come back.
  const consumer = { ...PATIENT, capacity: 1_000_000 };
  await using lab = await FaultLab.start(which, server.port, { consumer });
  const faults = faultsOf(lab.wire, server);
  const counts = {};
  let emitted = 0;
  const until = performance.now() + Number(values.seconds) * 1_000;
  const breaking = (async () => {
    while (performance.now() < until) {
      await pause(200 + Math.random() * 800);
      const [name, fault] = faults[Math.floor(Math.random() * faults.length)];
      counts[name] = (counts[name] ?? 0) + 1;
      await fault();
    }
  })();
  while (performance.now() < until) {
    await lab.emit(20);
    emitted += 20;
    await pause(20);
  }
  await breaking;
  await lab.settled();
  console.log(`${which.name}: ${emitted} emissions, faults ${JSON.stringify(counts)}`);
  if (lab.unhandled.length > 0) fail(`${lab.unhandled.length} rejections unhandled`);
  for (const destination of lab.destinations) await report(lab, destination, 'killed' in counts);
}

/** By name, what can go wrong; each resolves when there is nothing wrong any more but what the adapter has to find out. */
function faultsOf(wire, server) {
  return [
    ['everything vanished', () => wire.deaden('everything')],
    ['answers vanished', () => wire.deaden('answers')],
    ['reset', () => wire.resetAfter(Math.floor(Math.random() * 10_000))],
    ['cut', () => away(() => wire.cut())],
    ['unreachable', () => away(() => wire.swallow())],
    ['killed', () => restart(server)],
  ];

  async function away(begin) {
    begin();
    await pause(Math.random() * 1_500);
    wire.mend();
  }
}

async function restart(server) {
  server.kill();
  await pause(Math.random() * 1_000);
  await server.start();
}

async function report(lab, destination, isRestart) {
  const findings = await lab.findings(destination);
  const { lost, repeated, unexplained, inversions } = findings;
  console.log(
    `  ${destination.name}: ${lost.length} lost, ${repeated.length} repeated (${unexplained.length} that it was not given again), ${inversions} out of order`,
  );
  const broken = Object.keys(brokenBy(findings, destination, isRestart));
  if (broken.length > 0) fail(`${destination.name}: ${broken.join(', ')}`);
}

function fail(promise) {
  console.error(`  BROKEN: ${promise}`);
  process.exitCode = 1;
}
