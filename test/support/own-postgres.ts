import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const script = join(import.meta.dirname, '..', '..', 'scripts', 'services.sh');

/** Whether this machine can run a PostgreSQL that belongs to a test alone: the script needs root. */
export const CAN_RUN_POSTGRES: boolean =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  process.env['DATABASE_URL'] !== undefined;

/** A PostgreSQL of a test's own, which may be stopped and started as it likes. */
export class OwnPostgres implements AsyncDisposable {
  private constructor(
    private readonly folder: string,
    private readonly port: number,
  ) {}

  static async start(): Promise<OwnPostgres> {
    const folder = mkdtempSync(join(tmpdir(), 'own-postgres-'));
    // It runs as a user of its own.
    chmodSync(folder, 0o755);
    const own = new OwnPostgres(folder, await freePort());
    await own.#services('up');
    return own;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  async restart(): Promise<void> {
    await this.#services('restart');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#services('down');
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #services(verb: string): Promise<void> {
    const { DATABASE_URL: _, ...others } = process.env;
    const env = { ...others, SERVICES_DIR: this.folder, PG_PORT: String(this.port) };
    await run('bash', [script, verb, 'postgres'], { env });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
