import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Scope, type ModuleMetadata } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { ConfigurationError, Emissions, EmissionsModule, OnEmission } from 'nestjs-emissions';
import { EmissionsDurableModule } from 'nestjs-emissions/durable';
import { until } from '../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'durable-module-'));

@Injectable()
class Handlers {
  readonly taken: unknown[] = [];

  @OnEmission('order.*', { durable: true })
  take(payload: unknown): void {
    this.taken.push(payload);
  }
}

async function starting(metadata: ModuleMetadata) {
  const module = await Test.createTestingModule(metadata).compile();
  const app = module.createNestApplication({ logger: false });
  return app.init().catch(async (error: unknown) => {
    await app.close().catch(() => {});
    throw error;
  });
}

const durable = (options: object, providers: ModuleMetadata['providers'] = [Handlers]) => ({
  imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(options)],
  providers: providers!,
});

describe('EmissionsDurableModule', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    [{}, 'takes exactly one of connectionString, embedded and boss, but got none'],
    [
      { connectionString: 'postgres://x', embedded: 'memory://' },
      'but got connectionString and embedded',
    ],
    [
      { embedded: 'memory://', schema: 'Bad Name' },
      'schema takes a name of up to 50 small letters',
    ],
    [{ embedded: 'memory://', heartbeatMs: 10 }, 'heartbeatMs takes milliseconds, from 1000'],
    [{ embedded: 'memory://', polls: 1 }, 'EmissionsDurableModule has no option "polls"'],
    [{ boss: {} }, 'boss takes an instance of PgBoss'],
  ])('refuses %j', async (options, message) => {
    await expect(starting(durable(options))).rejects.toThrow(message);
  });

  it.each<[object | undefined, RegExp]>([
    [undefined, /forRootAsync takes an object of options, but got undefined/],
    [
      { useClass: class Settings {} },
      /asks Settings for options with createDurableOptions\(\), and it has no such method/,
    ],
    [
      { embedded: 'memory://', useFactory: () => ({}) },
      /forRootAsync has no option "embedded" beside the factory; return it from there, if the module has it\. Beside it: imports, inject/,
    ],
  ])('refuses %p for a factory when the application starts', async (options, message) => {
    const imports = [
      EmissionsModule.forRoot(),
      EmissionsDurableModule.forRootAsync(options as never),
    ];
    await expect(starting({ imports })).rejects.toThrow(ConfigurationError);
    await expect(starting({ imports })).rejects.toThrow(message);
  });

  it.each([undefined, null, 'x'])('refuses %p in the place of options', async (options) => {
    await expect(starting(durable(options as never))).rejects.toThrow(
      /^EmissionsDurableModule\.forRoot takes an object of options, but got (undefined|null|'x')\. For a first try: /,
    );
  });

  it('is missed by durable handlers', async () => {
    const metadata = { imports: [EmissionsModule.forRoot()], providers: [Handlers] };
    await expect(starting(metadata)).rejects.toThrow(
      /Handlers\.take is durable, and nothing is there.*Import EmissionsDurableModule/,
    );
  });

  it.each([
    [
      'EmissionsModule.forRoot',
      [EmissionsDurableModule.forRoot({ embedded: 'memory://' })],
      /EmissionsDurableModule is imported, but EmissionsModule\.forRoot is not/,
    ],
    [
      'its own forRoot',
      [EmissionsModule.forRoot(), EmissionsDurableModule],
      /EmissionsDurableModule is imported without its forRoot\. Write EmissionsDurableModule\.forRoot\(\{/,
    ],
  ])('refuses to start without %s', async (_, imports, message) => {
    await expect(starting({ imports })).rejects.toThrow(message);
  });

  it('refuses handlers of a request-scoped host, which has nothing to be built of later', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      constructor(@Inject(REQUEST) readonly request: unknown) {}

      @OnEmission('order.*', { durable: true })
      take(): void {}
    }
    await expect(starting(durable({ embedded: 'memory://' }, [Scoped]))).rejects.toThrow(
      /The handler Scoped\.take is durable, and its host Scoped .* is request-scoped/,
    );
  });

  it('refuses durable functions that are subscribed at run time', async () => {
    const app = await starting(durable({ embedded: 'memory://' }));
    const emissions = app.get(Emissions);
    expect(() => emissions.subscribe('order.*', () => {}, { durable: true })).toThrow(
      'cannot be durable',
    );
    await app.close();
  }, 30_000);

  it('keeps two applications from one folder, and lets the next one have it', async () => {
    const options = durable({ embedded: join(folder, 'data') });
    const first = await starting(options);
    await expect(starting(options)).rejects.toThrow(
      /The embedded database in .*data is in use by this process already, and is for one alone/,
    );
    await first.close();
    const second = await starting(options);
    await second.close();
  }, 30_000);

  it('stores what is emitted while the application starts', async () => {
    @Injectable()
    class Early {
      constructor(private readonly emissions: Emissions) {}

      async onModuleInit(): Promise<void> {
        await this.emissions.run(() => void this.emissions.emit('order.early', 1));
      }
    }
    const app = await starting(durable({ embedded: 'memory://' }, [Early, Handlers]));
    const { taken } = app.get(Handlers);
    await until(() => taken.length > 0);
    await app.close();
    expect(taken).toEqual([1]);
  }, 30_000);
});
