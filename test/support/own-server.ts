/* oxlint-disable jest/no-disabled-tests, jest/valid-describe-callback, jest/valid-title -- describe by another name */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './imports.js';

const call = promisify(execFile);

/** The servers that there can be one of one's own of, with the program it takes and what it is reached by. */
const SERVERS = {
  redis: { program: 'redis-server', port: 'REDIS_PORT', url: 'REDIS_URL', needsRoot: false },
  nats: { program: 'nats-server', port: 'NATS_PORT', url: 'NATS_URL', needsRoot: false },
  rabbitmq: {
    ...{ program: '/usr/lib/rabbitmq/bin/rabbitmq-server', port: 'AMQP_PORT', url: 'AMQP_URL' },
    needsRoot: true,
  },
} as const;

export type OwnServerName = keyof typeof SERVERS;

/** A server that a test may kill. What it has acknowledged, it still has afterwards. */
export interface OwnServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Ends it where it stands. */
  kill(): void;
  /** Starts it again, with what it had; resolves when it is ready. */
  start(): Promise<void>;
}

/** Why there cannot be one here; undefined when there can. */
export function missing(name: OwnServerName): string | undefined {
  const { program, needsRoot } = SERVERS[name];
  const folders = program.startsWith('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter);
  if (!folders.some((folder) => existsSync(join(folder, program)))) return `no ${program}`;
  return needsRoot && process.getuid?.() !== 0 ? `${program} has to be started by root` : undefined;
}

/** Brings one up on ports of its own, with data of its own, which it writes down before it says that it has something. */
export async function ownServer(name: OwnServerName): Promise<OwnServer> {
  const folder = mkdtempSync(join(tmpdir(), `emissions-${name}-`));
  // A server may run as a user of its own.
  chmodSync(folder, 0o755);
  const { port: portName, url: urlName } = SERVERS[name];
  const [port, dist, epmd] = await freePorts(3);
  const { [urlName]: _, ...environment } = process.env;
  const services = async (verb: 'up' | 'down'): Promise<string> => {
    const script = join(root, 'scripts', 'services.sh');
    const { stdout } = await call('bash', [script, verb, name], {
      env: {
        ...environment,
        ...{ SERVICES_DIR: folder, SERVICES_DURABLE: '1', [portName]: String(port) },
        ...{ RABBIT_DIST_PORT: String(dist), EPMD_PORT: String(epmd) },
      },
    });
    return stdout;
  };
  const kill = (): void => {
    try {
      process.kill(Number(readFileSync(join(folder, `${name}.pid`), 'utf8')), 'SIGKILL');
    } catch {
      // It has ended.
    }
  };
  process.once('exit', kill);
  const [, url] = new RegExp(`^export ${urlName}=(.+)$`, 'm').exec(await services('up'))!;
  return {
    url: url!,
    port: port!,
    kill,
    start: async () => void (await services('up')),
    [Symbol.asyncDispose]: async () => {
      await services('down');
      process.off('exit', kill);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Below those that the kernel gives to outgoing connections: one of these could take a server's port while it is down. */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    // oxlint-disable-next-line no-await-in-loop -- one behind another
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
