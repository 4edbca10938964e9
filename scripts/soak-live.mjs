/**
 * `npm run soak:live`: the long forms of what the tests of live channels do. 100,000 deliveries and more to tenants that join,
 * leave, reconnect, recover and are revoked; 1,000 connections cut at random, in each of four set-ups; a minute of 200 clients,
 * half of which do not read; a million attempts to subscribe. Exits with 1 when a promise is broken.
 */
import { run } from './run.mjs';

const steps = [
  'EMISSIONS_RUNS=800 npm run -s test:unit -- test/stories/tenancy',
  'EMISSIONS_CUTS=1000 npm run -s test:unit -- test/stories/reconnects',
  'npm run -s build',
  'node --expose-gc bench/soak/live.mjs 60 200',
  'node --expose-gc bench/soak/flood.mjs 1000000',
];
for (const step of steps) {
  console.log(`\n> ${step}`);
  const { code } = await run(step, { stdio: 'inherit' });
  if (code !== 0) process.exitCode = 1;
}
