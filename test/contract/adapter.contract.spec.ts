import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { PartialDeliveryError, type Emission } from 'nestjs-emissions';
import {
  adapterContract,
  serveAdapter,
  TestingError,
  type AdapterFeatures,
} from 'nestjs-emissions/testing';
import { CASES } from '../../lib/testing/adapter.contract.js';
import { root } from '../support/imports.js';
import { OtherEnd } from '../support/other-end.js';
import { MemoryAdapter, toArrival } from '../support/reference-adapters.js';
import { nextRound } from '../support/until.js';

const ALL: AdapterFeatures = {
  failures: true,
  partialFailures: true,
  filter: { takes: 'public.thing', refuses: 'secret.thing' },
  unencodable: () => ({ total: 1n }),
};

/** Encodes as JSON, so that there is something it cannot encode; else as it should be. */
class SoundAdapter extends MemoryAdapter {
  override deliver(batch: readonly Emission[]): void | Promise<void> {
    const failed: Emission[] = [];
    for (const emission of batch) {
      try {
        this.send(emission);
      } catch {
        failed.push(emission);
      }
    }
    if (failed.length > 0) throw new PartialDeliveryError(failed);
  }

  protected send(emission: Emission): void {
    this.end.take(JSON.parse(JSON.stringify(toArrival(emission))));
  }
}

type Adapter = new (end: OtherEnd) => MemoryAdapter;

/** An adapter whose `deliver` is broken. */
function mutant(
  deliver: (this: SoundAdapter, batch: readonly Emission[], end: OtherEnd) => void | Promise<void>,
): Adapter {
  return class extends SoundAdapter {
    override deliver(batch: readonly Emission[]): void | Promise<void> {
      return deliver.call(this, batch, this.end);
    }
  };
}

const sound = SoundAdapter.prototype.deliver;

class Deaf extends SoundAdapter {
  override interested(): boolean {
    return true;
  }
}

class Mute extends SoundAdapter {
  override interested({ name }: Emission): boolean {
    return !name.startsWith('public.');
  }
}

class Hasty extends SoundAdapter {
  #isOpen = true;
  beforeApplicationShutdown() {
    this.#isOpen = false;
  }
  onModuleDestroy() {
    this.#isOpen = false;
  }
  override deliver(batch: readonly Emission[]): void | Promise<void> {
    if (this.#isOpen) return sound.call(this, batch);
    throw new Error('closed');
  }
}

class Lingering extends SoundAdapter {
  onApplicationShutdown(): Promise<void> {
    return new Promise(() => {});
  }
}

class Offended extends SoundAdapter {
  #isBroken = false;
  override deliver(batch: readonly Emission[]): void {
    if (this.#isBroken) throw new Error('broken for good');
    try {
      void sound.call(this, batch);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
  }
}

/** What a static field would be: shared by all instances of a test. */
function sharing(): Adapter {
  let first: OtherEnd | undefined;
  return class extends SoundAdapter {
    protected override send(emission: Emission): void {
      first ??= this.end;
      first.take(toArrival(emission));
    }
  };
}

/** How to break an adapter, and the case that must notice. */
const MUTANTS: readonly (readonly [how: string, caught: RegExp, adapter: () => Adapter])[] = [
  [
    'delivers twice',
    /each emission once/,
    () =>
      mutant(function (batch) {
        void sound.call(this, batch);
        void sound.call(this, batch);
      }),
  ],
  [
    'makes up ids',
    /each emission once/,
    () =>
      mutant(function (batch) {
        void sound.call(
          this,
          batch.map((emission, i) => ({ ...emission, id: `${i}` })),
        );
      }),
  ],
  [
    'drops the payload',
    /each emission once/,
    () =>
      mutant(function (batch) {
        void sound.call(
          this,
          batch.map((emission) => ({ ...emission, payload: {} })),
        );
      }),
  ],
  [
    'cuts long text',
    /payload over unchanged/,
    () =>
      mutant(function (batch) {
        const cut = (payload: unknown): unknown =>
          JSON.parse(
            JSON.stringify(payload, (_, value) =>
              typeof value === 'string' ? value.slice(0, 1_000) : value,
            ),
          );
        void sound.call(
          this,
          batch.map((emission) => ({ ...emission, payload: cut(emission.payload) })),
        );
      }),
  ],
  [
    'writes Latin-1',
    /payload over unchanged/,
    () =>
      mutant(function (batch) {
        const latin = (payload: unknown): unknown =>
          JSON.parse(Buffer.from(JSON.stringify(payload), 'latin1').toString('latin1'));
        void sound.call(
          this,
          batch.map((emission) => ({ ...emission, payload: latin(emission.payload) })),
        );
      }),
  ],
  [
    'delivers the first of a batch',
    /batches of every size/,
    () =>
      mutant(function (batch) {
        void sound.call(this, batch.slice(0, 1));
      }),
  ],
  [
    'turns a batch round',
    /keeps the order in which/,
    () =>
      mutant(function (batch) {
        void sound.call(this, batch.toReversed());
      }),
  ],
  [
    'lets calls overtake one another',
    /order of each key/,
    () => {
      let calls = 0;
      return mutant(async function (batch) {
        const later = async (): Promise<void> => {
          for (let i = 0; i < 3; i++) await nextRound();
          void sound.call(this, batch);
        };
        // Every other call is said to be over before it is.
        if (++calls % 2 === 0) return void later();
        await nextRound();
        void sound.call(this, batch);
      });
    },
  ],
  [
    'works on one call at a time, whatever is said',
    /order of each key/,
    () => {
      let last: Promise<void> = Promise.resolve();
      return class extends SoundAdapter {
        // Asked again while it is busy, it refuses.
        #isBusy = false;
        override async deliver(batch: readonly Emission[]): Promise<void> {
          if (this.#isBusy) throw new Error('busy');
          this.#isBusy = true;
          await (last = last.then(nextRound));
          this.#isBusy = false;
          await sound.call(this, batch);
        }
      };
    },
  ],
  [
    'calls itself while it is at work',
    /called once at a time/,
    () =>
      mutant(async function (batch) {
        if (batch.length > 1)
          await Promise.all(batch.map(async (emission) => this.deliver([emission])));
        else void sound.call(this, batch);
      }),
  ],
  [
    'returns before it is done',
    /called once at a time/,
    () =>
      mutant(function (batch) {
        void (async () => {
          for (let i = 0; i < 5; i++) await nextRound();
          void sound.call(this, batch);
        })().catch(() => {});
      }),
  ],
  [
    'collects, and sends with the next call',
    /when nothing is pending/,
    () => {
      let kept: readonly Emission[] = [];
      return mutant(function (batch) {
        const send = kept;
        kept = batch;
        void sound.call(this, send);
      });
    },
  ],
  ['takes what it should refuse', /interested in, and nothing else/, () => Deaf],
  ['refuses what it should take', /interested in, and nothing else/, () => Mute],
  [
    'swallows errors',
    /tried again and nothing is lost/,
    () =>
      mutant(function (batch) {
        try {
          void sound.call(this, batch);
        } catch {
          // "Logged".
        }
      }),
  ],
  [
    'swallows errors for good',
    /never succeeds, which is signalled/,
    () =>
      mutant(function (batch) {
        try {
          void sound.call(this, batch);
        } catch {
          // "Logged".
        }
      }),
  ],
  ['never recovers', /never succeeds, which is signalled/, () => Offended],
  [
    'throws what is no error',
    /never succeeds, which is signalled/,
    () =>
      mutant(function (batch) {
        try {
          void sound.call(this, batch);
        } catch {
          // oxlint-disable-next-line typescript/only-throw-error -- that is what is wrong with it
          throw 'failed';
        }
      }),
  ],
  [
    'fails the whole batch',
    /names what was refused/,
    () =>
      mutant(function (batch) {
        try {
          void sound.call(this, batch);
        } catch (cause) {
          throw new Error('something failed', { cause });
        }
      }),
  ],
  [
    'names the wrong ones',
    /names what was refused/,
    () =>
      mutant(function (batch) {
        try {
          void sound.call(this, batch);
        } catch (error) {
          const { failed } = error as PartialDeliveryError;
          throw new PartialDeliveryError(batch.filter((emission) => !failed.includes(emission)));
        }
      }),
  ],
  [
    'fails the batch for one that it cannot encode',
    /cannot encode/,
    () =>
      mutant(function (batch, end) {
        const encoded = batch.map((emission) => JSON.stringify(toArrival(emission)));
        for (const each of encoded) end.take(JSON.parse(each));
      }),
  ],
  [
    'leaves out what it cannot encode',
    /cannot encode/,
    () =>
      mutant(function (batch) {
        try {
          void sound.call(this, batch);
        } catch {
          // "Logged".
        }
      }),
  ],
  ['closes before the last has come', /when the application closes/, () => Hasty],
  ['never ends closing', /when the application closes/, () => Lingering],
  ['has what should be its own in common', /shares nothing/, () => sharing()],
];

interface Case {
  readonly name: string;
  run(): Promise<void>;
}

function casesOf(adapter: Adapter, features: AdapterFeatures = ALL): Case[] {
  const cases: Case[] = [];
  adapterContract({
    test: (name, run) => cases.push({ name, run }),
    expect,
    features,
    timeoutMs: 100,
    create: async (consumer) => {
      const end = new OtherEnd();
      return {
        app: await serveAdapter({ useFactory: () => new adapter(end) }, consumer),
        received: () => end.arrivals,
        refuse: (which, times) => end.refuse(which, times),
      };
    },
  });
  return cases;
}

describe('the contract of adapters', () => {
  it.each(casesOf(SoundAdapter).map((each) => [each.name, each] as const))(
    'holds for a sound one: %s',
    async (_, each) => {
      await expect(each.run()).resolves.toBeUndefined();
    },
  );

  it.each(MUTANTS)('fails for one that %s: %s', async (_, caught, adapter) => {
    const [noticing, ...others] = casesOf(adapter()).filter(({ name }) => caught.test(name));
    expect(others).toEqual([]);
    await expect(noticing!.run()).rejects.toThrow(/toEqual|has not closed/);
  });

  it('has no case that nothing breaks', () => {
    const unbroken = CASES.filter(({ name }) => !MUTANTS.some(([, caught]) => caught.test(name)));
    expect(unbroken).toEqual([]);
  });

  it('has no cases for what is not declared', () => {
    const names = casesOf(SoundAdapter, {
      ...{ order: false, acknowledges: false, concurrency: false, instances: false },
    }).map(({ name }) => name);
    expect(names).toEqual([
      'the adapter delivers each emission once, with its id, name and payload',
      'the adapter brings a payload over unchanged',
      'the adapter delivers batches of every size, all of them',
      'the adapter is called once at a time, and is done with a call when it returns',
      'the adapter delivers what is under way when the application closes, and lets it close',
    ]);
  });
});

describe('what create gives', () => {
  const first = (create: Parameters<typeof adapterContract>[0]['create'], features = {}) => {
    const cases: Case[] = [];
    adapterContract({ test: (name, run) => cases.push({ name, run }), expect, features, create });
    return cases;
  };

  it('has to be an application with exactly one adapter, or the name of one of several', async () => {
    const several = (name?: string) =>
      first(async (consumer) => {
        const end = new OtherEnd();
        const app = await serveAdapter({ useFactory: () => new MemoryAdapter(end) }, consumer);
        const { Emissions } = await import('nestjs-emissions');
        app.get(Emissions).addAdapter('other', { deliver: () => {} });
        return { app, ...(name !== undefined && { name }), received: () => end.arrivals };
      })[0]!.run();
    await expect(several()).rejects.toThrow(TestingError);
    await expect(several()).rejects.toThrow(/but there are 2: serveAdapter/);
    await expect(several('none')).rejects.toThrow(/served as 'none', but there are 0/);
    await expect(several('memory')).resolves.toBeUndefined();
  });

  it('has to be able to refuse, when failures are declared', async () => {
    const cases = first(
      async (consumer) => {
        const end = new OtherEnd();
        const app = await serveAdapter({ useFactory: () => new MemoryAdapter(end) }, consumer);
        return { app, received: () => end.arrivals };
      },
      { failures: true },
    );
    const failing = cases.find(({ name }) => name.includes('tried again'))!;
    await expect(failing.run()).rejects.toThrow(/want create\(\) to give a refuse\(which, times\)/);
  });
});

/** Set by test/jest.dist.json: plain Node can run the built package, not the sources. */
if ('testingDist' in globalThis) {
  const script = join(root, 'test', 'contract', 'array.adapter.node-test.mjs');
  const runNodeTest = (adapter: string) => {
    const { status, stdout } = spawnSync(
      process.execPath,
      ['--test', '--test-reporter=tap', script],
      {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, ARRAY_ADAPTER: adapter, NODE_OPTIONS: '' },
      },
    );
    const results = [...stdout.matchAll(/^\s*(not )?ok \d+ - (the adapter .*)$/gm)];
    return {
      status,
      passed: results.filter(([, not]) => not === undefined).length,
      failed: results.filter(([, not]) => not !== undefined).map(([, , name]) => name!),
    };
  };

  describe('the contract under node --test', () => {
    it('passes for a sound adapter', () => {
      expect(runNodeTest('sound')).toEqual({ status: 0, passed: 9, failed: [] });
    });

    it('fails for a broken one, in the cases that notice', () => {
      expect(runNodeTest('broken')).toEqual({
        status: 1,
        passed: 7,
        failed: [
          expect.stringMatching(/keeps the order in which/),
          expect.stringMatching(/order of each key/),
        ],
      });
    });
  });
}
