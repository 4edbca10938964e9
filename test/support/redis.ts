/* oxlint-disable jest/no-disabled-tests, jest/valid-describe-callback, jest/valid-title -- describe by another name */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { describe } from '@jest/globals';

/** A Redis for tests: that of REDIS_URL, or one of our own on a free port of 127.0.0.1. */
export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  /** Kills it, when it is our own, and starts it anew on the same port, with nothing in it. */
  restart(): Promise<void>;
  readonly isOwn: boolean;
}

export type TestRedisClient = ReturnType<typeof createClient>;

const given = process.env['REDIS_URL'];

const missing = 'no Redis: apt-get install redis-server, or set REDIS_URL';

/** `describe` with a Redis, or, where there is none, one that is reported as skipped and says why. */
export function describeRedis(name: string, tests: () => void): void {
  if (given !== undefined || isInstalled()) describe(name, tests);
  else describe.skip(`${name} (${missing})`, tests);
}

/** The same for tests that cut or restart it: with one of our own, whatever REDIS_URL says. */
export function describeOwnRedis(name: string, tests: () => void): void {
  if (isInstalled()) describe(name, tests);
  else describe.skip(`${name} (no redis-server: apt-get install redis-server)`, tests);
}

/** Finds or starts it; `own` starts one even when REDIS_URL says that there is one. */
export async function startRedis({ own = false } = {}): Promise<TestRedis> {
  if (given !== undefined && !own) {
    return {
      url: given,
      isOwn: false,
      restart: () => Promise.reject(new Error('The Redis of REDIS_URL is not ours to restart.')),
      [Symbol.asyncDispose]: async () => {},
    };
  }
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'emissions-redis-'));
  let server = await launch(port, folder);
  const stop = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const gone = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await gone;
  };
  const abandoned = (): void => void server.kill('SIGKILL');
  process.once('exit', abandoned);
  return {
    url: `redis://127.0.0.1:${port}`,
    isOwn: true,
    restart: async () => {
      await stop();
      server = await launch(port, folder);
    },
    [Symbol.asyncDispose]: async () => {
      process.off('exit', abandoned);
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A connected client of node-redis. */
export async function redisClient(url: string): Promise<TestRedisClient> {
  const client = createClient({ url, commandOptions: { timeout: 0 } });
  client.on('error', () => {});
  await client.connect();
  return client as TestRedisClient;
}

function isInstalled(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return install();
  }
}

/** Where one may: as root, on a Debian. */
function install(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'redis-server'], {
      stdio: 'ignore',
      timeout: 120_000,
    });
    return true;
  } catch {
    return false;
  }
}

async function launch(port: number, folder: string): Promise<ChildProcess> {
  const server = spawn(
    'redis-server',
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      folder,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('exit', () => reject(new Error('redis-server ended at once.')));
    server.stdout.on('data', (text: Buffer) => {
      if (text.includes('Ready to accept connections')) resolve();
    });
  });
  server.removeAllListeners('exit');
  return server;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
