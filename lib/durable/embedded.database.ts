import { mkdirSync, openSync, readFileSync, rmSync, writeSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../emission/emission.errors.js';
import type { EmbeddedDatabase } from './durable.options.js';

const LOCK = 'nestjs-emissions.lock';

/** A PGlite of this process: one that was given, or one of our own on a folder that nobody else uses meanwhile. */
export class Embedded {
  readonly #given: string | EmbeddedDatabase;
  #lock: string | undefined;
  #database: EmbeddedDatabase | undefined;

  constructor(given: string | EmbeddedDatabase) {
    this.#given = given;
  }

  /** @throws ConfigurationError when PGlite is not installed, or another process uses the folder */
  async open(): Promise<EmbeddedDatabase> {
    if (typeof this.#given !== 'string') {
      await this.#given.waitReady;
      return this.#given;
    }
    const { PGlite } = await import('@electric-sql/pglite').catch((error: unknown) => {
      throw new ConfigurationError(
        `The option embedded needs PGlite, which is not installed. Run: npm install @electric-sql/pglite`,
        { cause: error },
      );
    });
    if (!this.#given.includes('://')) this.#lock = lock(this.#given);
    try {
      return (this.#database = await PGlite.create(this.#given));
    } catch (error) {
      this.#unlock();
      throw error;
    }
  }

  /** Closes it, unless it was given. */
  async close(): Promise<void> {
    await this.#database?.close();
    this.#unlock();
  }

  #unlock(): void {
    if (this.#lock !== undefined) rmSync(this.#lock, { force: true });
    this.#lock = undefined;
  }
}

/** Two processes on one folder would destroy it, and nothing else keeps them apart. */
function lock(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, LOCK);
  for (;;) {
    try {
      const handle = openSync(file, 'wx');
      writeSync(handle, String(process.pid));
      closeSync(handle);
      return file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = Number(readFileSync(file, 'utf8'));
    if (isAlive(owner)) {
      throw new ConfigurationError(
        `The embedded database in ${folder} is in use by ${owner === process.pid ? 'this process already' : `process ${owner}`}, and is for ` +
          `one alone. Give several a PostgreSQL: EmissionsDurableModule.forRoot({ connectionString: 'postgres://…' }).`,
      );
    }
    // It was left behind by a process that was killed.
    rmSync(file, { force: true });
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
