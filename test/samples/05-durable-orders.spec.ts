import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { nestjsEmissions, type Outcome } from '../support/command-line.js';
import { DATABASE_URL, postgres } from '../support/databases.js';
import { temporaryFolder } from '../support/folders.js';
import { root } from '../support/imports.js';

interface Order {
  readonly id: number;
  readonly invoice: number | null;
  readonly email: number | null;
  readonly deliveries: readonly { readonly handler: string; readonly state: string }[];
}

interface Status {
  readonly handlers: readonly { readonly handler: string; readonly waiting: number }[];
  readonly failed: readonly {
    readonly id: string;
    readonly order: string;
    readonly error: string;
  }[];
}

/** The sample as a process of its own. */
class Running {
  private constructor(
    private readonly child: ChildProcess,
    private readonly url: string,
  ) {}

  static async start(environment: Record<string, string>): Promise<Running> {
    const hooks = join(root, 'test', 'support', 'typescript.hooks.mjs');
    const main = join(root, 'sample', '05-durable-orders', 'src', 'main.ts');
    const { DATABASE_URL: _, ...env } = process.env;
    const child = spawn(process.execPath, ['--import', hooks, main], {
      env: { ...env, PORT: '0', PACE_MS: '200', ...environment },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const [, url, pid] = /^Orders at (.*)\/orders; kill it with: kill -9 (\d+)$/.exec(line) ?? [];
      if (url === undefined) continue;
      if (Number(pid) !== child.pid) throw new Error(`It is not ${pid}, but ${child.pid}.`);
      child.stdout.resume();
      return new Running(child, url);
    }
    throw new Error('It ended before it listened.');
  }

  async place(item: string, quantity = 1): Promise<Response> {
    const body = new URLSearchParams({ item, quantity: String(quantity) });
    return fetch(`${this.url}/orders`, { method: 'POST', body });
  }

  async order(id: number): Promise<Order> {
    return (await (await fetch(`${this.url}/orders/${id}`)).json()) as Order;
  }

  async orders(ids: readonly number[]): Promise<Order[]> {
    return Promise.all(ids.map((id) => this.order(id)));
  }

  async status(): Promise<Status> {
    return (await (await fetch(`${this.url}/deliveries`)).json()) as Status;
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<unknown> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return undefined;
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    const [code, by] = (await exit) as [number | null, string | null];
    return code ?? by;
  }
}

/** Where the sample keeps its data, and how the command line is told. */
interface Place extends AsyncDisposable {
  readonly environment: Record<string, string>;
  failed(): Promise<Outcome>;
}

const places: [string, () => Promise<Place>][] = [
  [
    'PGlite',
    async () => {
      const folder = temporaryFolder();
      return {
        environment: { DATA: folder.path },
        failed: () =>
          nestjsEmissions(['failed', '--embedded', folder.path, '--schema', 'durable_orders']),
        [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
      };
    },
  ],
];
if (DATABASE_URL !== undefined) {
  places.push([
    'PostgreSQL',
    async () => {
      const { schema, ...database } = await postgres();
      return {
        environment: { DATABASE_URL: DATABASE_URL!, SCHEMA: schema },
        failed: () =>
          nestjsEmissions(['failed', '--schema', schema], { DATABASE_URL: DATABASE_URL! }),
        [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
      };
    },
  ]);
}

describe.each(places)('durable orders on %s', (_, make) => {
  let place: Place;
  let running: Running;

  beforeEach(async () => {
    place = await make();
    running = await Running.start(place.environment);
  }, 120_000);

  afterEach(async () => {
    await running.end('SIGKILL');
    await place[Symbol.asyncDispose]();
  });

  it('lose nothing when they are killed in the middle', async () => {
    const ids: number[] = [];
    for (let n = 1; n <= 8; n++) {
      // oxlint-disable-next-line no-await-in-loop
      const answer = await running.place('tea', n);
      expect(answer.status).toBe(201);
      // oxlint-disable-next-line no-await-in-loop
      ids.push(((await answer.json()) as Order).id);
    }
    // oxlint-disable-next-line no-await-in-loop
    while ((await running.orders(ids)).every(({ invoice }) => invoice === null));
    expect((await running.orders(ids)).filter(({ email }) => email === null)).not.toEqual([]);
    expect(await running.end('SIGKILL')).toBe('SIGKILL');

    running = await Running.start(place.environment);
    // oxlint-disable-next-line no-await-in-loop
    while ((await running.orders(ids)).some(({ email }) => email === null));
    const orders = await running.orders(ids);
    expect(new Set(orders.map(({ invoice }) => invoice)).size).toBe(8);
    expect(orders.every(({ email }) => email! > 1)).toBe(true);
    expect(orders.flatMap(({ deliveries }) => deliveries)).toMatchObject(
      ids.map(() => ({ handler: 'Invoices.write', state: 'completed' })),
    );
    const { handlers, failed } = await running.status();
    expect(handlers.map(({ handler, waiting }) => [handler, waiting])).toEqual([
      ['Invoices.write', 0],
      ['Emails.send', 0],
    ]);
    expect(failed).toEqual([]);
  }, 120_000);

  it('are there with what is owed for them, or not at all, and show what was given up', async () => {
    expect((await running.place('tea', 99)).status).toBe(422);
    expect((await running.status()).handlers.map(({ waiting }) => waiting)).toEqual([0, 0]);
    const { id } = (await (await running.place('unicorn')).json()) as Order;
    let status = await running.status();
    // oxlint-disable-next-line no-await-in-loop
    while (status.failed.length === 0) status = await running.status();
    const [dead] = status.failed;
    expect(dead).toMatchObject({
      order: String(id),
      error: 'There is no price for a unicorn.',
    });
    expect(await running.end('SIGTERM')).toBe(0);
    expect((await place.failed()).out).toContain(dead!.id);
  }, 120_000);
});
