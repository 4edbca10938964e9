import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../../emission/emission.errors.js';
import type { EmbeddedDatabase } from '../durable.options.js';
import { notInstalled } from '../not-installed.js';

const LOCK = 'nestjs-emissions.lock';

/** A PGlite of this process: one that was given, or one of our own on a folder that nobody else uses meanwhile. */
export class Embedded {
  readonly #given: string | EmbeddedDatabase;
  #lock: string | undefined;
  #database: EmbeddedDatabase | undefined;

  constructor(given: string | EmbeddedDatabase) {
    this.#given = given;
  }

  /** Whether nobody else has it: it is in a folder that this process has locked. */
  get isOurs(): boolean {
    return this.#lock !== undefined;
  }

  /** @throws ConfigurationError when PGlite is not installed, or another process uses the folder */
  async open(): Promise<EmbeddedDatabase> {
    if (typeof this.#given !== 'string') {
      await this.#given.waitReady;
      return this.#given;
    }
    const { PGlite } = await import('@electric-sql/pglite').catch(
      notInstalled(
        'The option embedded needs PGlite, which is not installed. Run: npm install @electric-sql/pglite',
      ),
    );
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
  const own = `${process.pid} ${startOf(process.pid) ?? performance.timeOrigin}`;
  for (;;) {
    try {
      writeFileSync(file, own, { flag: 'wx' });
      return file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = contentOf(file);
    const pid = Number.parseInt(owner, 10);
    if (owner === own || (pid !== process.pid && isAlive(owner))) {
      throw new ConfigurationError(
        `The embedded database in ${folder} is in use by ${owner === own ? 'this process already' : `process ${pid}`}, and is for ` +
          `one alone. Give several a PostgreSQL: EmissionsDurableModule.forRoot({ connectionString: 'postgres://…' }).`,
      );
    }
    remove(file, owner);
  }
}

/** Takes away what was left behind by a process that was killed, unless somebody else did so and has the folder now. */
function remove(file: string, owner: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    if (contentOf(aside) !== owner) linkSync(aside, file);
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code!)) throw error;
  }
  rmSync(aside, { force: true });
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Whether the process runs that wrote this, and not another that has got its number since, as each gets in a container. */
function isAlive(owner: string): boolean {
  const [pid, start] = owner.split(' ', 2);
  if (!(Number(pid) > 0)) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = startOf(Number(pid));
  return now === undefined || now === start;
}

/** When a process was started, as Linux counts; behind its name, which may hold anything. */
function startOf(pid: number): string | undefined {
  const stat = contentOf(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
