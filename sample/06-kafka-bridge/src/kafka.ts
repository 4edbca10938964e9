import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The servers that KAFKA_BROKERS names, or a stand-in that ends with the sample. */
export async function startKafka(): Promise<{ brokers: string; stop(): Promise<void> }> {
  const given = process.env['KAFKA_BROKERS'];
  if (given) return { brokers: given, stop: async () => {} };
  const file = join(import.meta.dirname, '..', '..', '..', 'scripts', 'kafka-stand-in.py');
  const child = spawn('/usr/bin/python3', [file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const said = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>;
  const [line] = await Promise.race([said, ended.then(() => [])]);
  if (line === undefined) {
    throw new Error('There is no stand-in (apt-get install librdkafka1). Set KAFKA_BROKERS.');
  }
  return {
    brokers: line.replace('KAFKA_BROKERS=', ''),
    async stop() {
      child.kill();
      await ended;
    },
  };
}
