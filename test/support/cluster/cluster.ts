import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';

/** One call of a handler, as it wrote it down. */
export interface Run {
  readonly id: string;
  readonly key: string;
  readonly worker: string;
  readonly attempt: number;
  readonly began: Date;
  readonly ended: Date | null;
  readonly outcome: 'done' | 'failed' | null;
}

/** A worker that was killed, and what was at work in the whole cluster then. */
export interface Kill {
  readonly worker: string;
  readonly at: number;
  readonly inFlight: number;
}

/** What came of it all. */
export interface Findings {
  readonly committed: number;
  /** How many calls of the handler have succeeded. */
  readonly done: number;
  /** How many processes have had a part in it. */
  readonly workers: number;
  readonly keys: number;
  /** Calls of the handler that failed, and were repeated. */
  readonly failed: number;
  readonly refused: number;
  /** Committed, and never done. */
  readonly lost: readonly string[];
  /** Done more than once. */
  readonly duplicates: number;
  /** Of these, how many where nobody had been killed. */
  readonly unexplained: number;
  /** The most duplicates that the kills can explain. */
  readonly inFlight: number;
  /** Begun before one that was committed earlier with the same key was done. */
  readonly inversions: number;
  /** Begun while another one of the same key was at work. */
  readonly overlaps: number;
  /** How long after a kill what it interrupted was begun again, in milliseconds. */
  readonly recoveriesMs: readonly number[];
}

/** Processes of one application on one database, which can be killed. */
export class Cluster {
  readonly committed: string[] = [];
  readonly kills: Kill[] = [];
  refused = 0;
  readonly exits: string[] = [];
  readonly #workers = new Map<string, ChildProcess>();
  readonly #environment: Record<string, string>;
  readonly #pool: pg.Pool;
  readonly #schema: string;
  #count = 0;

  constructor(connectionString: string, schema: string, environment: Record<string, string> = {}) {
    this.#pool = new pg.Pool({ connectionString, max: 2 });
    this.#pool.on('error', () => {});
    this.#schema = schema;
    this.#environment = { DATABASE_URL: connectionString, SCHEMA: schema, ...environment };
  }

  get workers(): readonly string[] {
    return [...this.#workers.keys()];
  }

  async prepare(): Promise<void> {
    await this.#pool.query(`CREATE SCHEMA IF NOT EXISTS ${this.#schema}`);
    await this.#pool.query(`CREATE TABLE ${this.#schema}.runs (
      seq bigserial PRIMARY KEY, id uuid, key text, worker text, attempt int,
      began timestamptz DEFAULT clock_timestamp(), ended timestamptz, outcome text)`);
    await this.#pool.query(`CREATE INDEX ON ${this.#schema}.runs (id)`);
  }

  /**
   * Starts a worker; resolves when it works.
   *
   * @param keysOf whose keys it emits with: those of one that was killed, or its own
   */
  async start(keysOf?: string): Promise<string> {
    const name = `w${++this.#count}`;
    const hooks = join(import.meta.dirname, '..', 'typescript.hooks.mjs');
    const child = fork(join(import.meta.dirname, 'worker.ts'), {
      execArgv: ['--import', hooks, '--disable-warning=ExperimentalWarning'],
      env: { ...process.env, ...this.#environment, WORKER_NAME: name, KEYS_OF: keysOf ?? name },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const [verb, rest] = line.split(' ', 2);
      if (verb === 'committed') this.committed.push(...rest!.split(','));
      else if (verb === 'refused') this.refused++;
    });
    child.once('exit', (code, signal) => {
      if (this.#workers.delete(name)) this.exits.push(`${name}: ${signal ?? code}`);
    });
    await once(child, 'message');
    this.#workers.set(name, child);
    return name;
  }

  /** Has a worker commit emissions; resolves when it has, or is gone. */
  async emit(worker: string, count: number): Promise<void> {
    const child = this.#workers.get(worker);
    if (child === undefined) return;
    const over = new AbortController();
    child.send(count);
    await Promise.race(
      ['message', 'exit'].map((event) => once(child, event, { signal: over.signal })),
    );
    over.abort();
  }

  /** Kills a worker where it stands. */
  async kill(worker: string): Promise<void> {
    const { rows } = await this.#pool.query(
      `SELECT count(*)::int AS count FROM ${this.#schema}.job WHERE name LIKE 'work%' AND state = 'active'`,
    );
    const child = this.#workers.get(worker)!;
    this.#workers.delete(worker);
    child.kill('SIGKILL');
    this.kills.push({ worker, at: Date.now(), inFlight: (rows[0] as { count: number }).count });
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** How many deliveries are not done. */
  async open(): Promise<number> {
    const { rows } = await this.#pool.query(
      `SELECT count(*)::int AS count FROM ${this.#schema}.job WHERE name LIKE 'work%' AND state NOT IN ('completed', 'failed')`,
    );
    return (rows[0] as { count: number }).count;
  }

  /** How many calls of the handler have succeeded. */
  async done(): Promise<number> {
    const { rows } = await this.#pool.query(
      `SELECT count(*)::int AS count FROM ${this.#schema}.runs WHERE outcome = 'done'`,
    );
    return (rows[0] as { count: number }).count;
  }

  async findings(): Promise<Findings> {
    const { rows: runs } = await this.#pool.query<Run>(
      `SELECT * FROM ${this.#schema}.runs ORDER BY seq`,
    );
    const done = runs.filter(({ outcome }) => outcome === 'done');
    const doneIds = new Set(done.map(({ id }) => id));
    const killed = new Set(this.kills.map(({ worker }) => worker));
    const firstOf = new Map(done.toReversed().map((run) => [run.id, run]));
    const again = done.filter((run) => firstOf.get(run.id) !== run);
    return {
      committed: this.committed.length,
      done: done.length,
      workers: new Set(done.map(({ worker }) => worker)).size,
      keys: new Set(runs.map(({ key }) => key)).size,
      failed: runs.filter(({ outcome }) => outcome === 'failed').length,
      refused: this.refused,
      lost: this.committed.filter((id) => !doneIds.has(id)),
      duplicates: again.length,
      unexplained: again.filter(({ id }) => !killed.has(firstOf.get(id)!.worker)).length,
      inFlight: this.kills.reduce((sum, { inFlight }) => sum + inFlight, 0),
      inversions: inversionsOf(runs),
      overlaps: overlapsOf(runs),
      recoveriesMs: this.#recoveries(runs),
    };
  }

  #recoveries(runs: readonly Run[]): number[] {
    const byId = Map.groupBy(runs, ({ id }) => id);
    return this.kills.flatMap(({ worker, at }) =>
      runs
        .filter((run) => run.worker === worker && run.ended === null)
        .map(({ id, attempt }) => byId.get(id)!.find((run) => run.attempt > attempt))
        .filter((run) => run !== undefined)
        .map(({ began }) => began.getTime() - at),
    );
  }

  /** Stops what is left. */
  async stop(): Promise<void> {
    const children = [...this.#workers.values()];
    this.#workers.clear();
    const running = children.filter(
      ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
    );
    for (const child of running) child.kill('SIGTERM');
    await Promise.all(running.map((child) => once(child, 'exit')));
    await this.#pool.end();
  }
}

/** Ids grow with each emission of a worker: per key they must be begun in that order, none before the one before is done. */
function inversionsOf(runs: readonly Run[]): number {
  let inversions = 0;
  for (const ofKey of Map.groupBy(runs, ({ key }) => key).values()) {
    const open = new Map<string, Run>();
    let latest = '';
    for (const run of ofKey) {
      if (run.id < latest) inversions++;
      if (run.id > latest) {
        const before = [...open.values()].filter(({ id }) => id < run.id);
        inversions += before.length;
        latest = run.id;
      }
      // A run that was done before this one began no longer counts.
      if (run.outcome === 'done') open.delete(run.id);
      else open.set(run.id, run);
    }
  }
  return inversions;
}

function overlapsOf(runs: readonly Run[]): number {
  return [...Map.groupBy(runs, ({ key }) => key).values()].flatMap((ofKey) =>
    ofKey.slice(1).filter(({ began }, i) => {
      const { ended } = ofKey[i]!;
      return ended !== null && began < ended;
    }),
  ).length;
}
