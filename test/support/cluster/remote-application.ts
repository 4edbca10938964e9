import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { DurableOptions } from 'nestjs-emissions/durable';

/** What a process said: its `kind`, and what there is to say about that. */
export type Said = Readonly<Record<string, any>> & { readonly kind: string };

/** A process of an application (`application.ts`), which can be told what to do, stopped, and killed. */
export class RemoteApplication implements AsyncDisposable {
  readonly all: Said[] = [];
  readonly #child: ChildProcess;

  /** Resolves when there is something new. */
  #news = Promise.withResolvers<void>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (said) => {
      this.all.push(said as Said);
      this.#tell();
    });
    child.once('exit', () => this.#tell());
  }

  #tell(): void {
    const { resolve } = this.#news;
    this.#news = Promise.withResolvers<void>();
    resolve();
  }

  /** Starts one; resolves when it works, or has said why it does not. */
  static async start(
    options: Partial<DurableOptions>,
    version: 'old' | 'new' = 'old',
  ): Promise<RemoteApplication> {
    const hooks = join(import.meta.dirname, '..', 'typescript.hooks.mjs');
    const child = fork(join(import.meta.dirname, 'application.ts'), {
      execArgv: ['--import', hooks, '--disable-warning=ExperimentalWarning'],
      env: { ...process.env, OPTIONS: JSON.stringify(options), VERSION: version },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const remote = new RemoteApplication(child);
    while (!remote.isOver && remote.of('ready').length === 0) {
      // oxlint-disable-next-line no-await-in-loop -- until it says so
      await remote.#news.promise;
    }
    return remote;
  }

  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  of(kind: string, part: Readonly<Record<string, unknown>> = {}): Said[] {
    return this.all.filter(
      (said) =>
        said.kind === kind && Object.entries(part).every(([name, value]) => said[name] === value),
    );
  }

  /** Resolves when it has said so, so often. */
  async hears(
    kind: string,
    part: Readonly<Record<string, unknown>> = {},
    times = 1,
  ): Promise<void> {
    while (this.of(kind, part).length < times) {
      if (this.isOver) throw new Error(`The process ended, and never said ${kind}.`);
      // oxlint-disable-next-line no-await-in-loop -- until it says so
      await this.#news.promise;
    }
  }

  tell(command: unknown): void {
    this.#child.send(command as never);
  }

  /** Has it commit; resolves when it has. */
  async commit(command: object): Promise<void> {
    const before = this.of('committed').length;
    this.tell(command);
    await this.hears('committed', {}, before + 1);
  }

  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    this.#child.kill(name);
  }

  /** Kills it where it stands. */
  async kill(): Promise<void> {
    const isOver = this.isOver || once(this.#child, 'exit');
    this.signal('SIGKILL');
    await isOver;
  }

  /** Closes the application, and ends the process. */
  async close(): Promise<void> {
    if (this.isOver) return;
    const exited = once(this.#child, 'exit');
    this.tell('close');
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
