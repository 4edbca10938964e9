/**
 * Gives the environment the servers that tests talk to: those that URLs in it name already, else those that
 * `scripts/services.sh` brings up. Where it cannot, the tests that need them are skipped, and reported as such.
 */
import { join } from 'node:path';
import { root, run } from './run.mjs';

const URLS = {
  DATABASE_URL: 'postgres',
  REDIS_URL: 'redis',
  AMQP_URL: 'rabbitmq',
  NATS_URL: 'nats',
  KAFKA_BROKERS: 'kafka',
};

export async function bringUpServices() {
  for (const [variable, name] of Object.entries(URLS)) {
    if (process.env[variable]) continue;
    // One by one: a machine may be able to have one of them.
    const { code, output } = await run(`bash ${join(root, 'scripts', 'services.sh')} up ${name}`);
    const [, url] = new RegExp(`^export ${variable}=(.+)$`, 'm').exec(output) ?? [];
    if (code === 0 && url !== undefined) process.env[variable] = url;
    else
      console.warn(
        `No ${name}: tests that need it are skipped. Run \`docker compose up -d --wait\` and set ${variable}.\n${output}`,
      );
  }
}
