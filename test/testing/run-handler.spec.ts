import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  Emissions,
  EmissionType,
  IGNORED,
  OnEmission,
  type Emission,
  type HandlerContext,
} from 'nestjs-emissions';
import {
  createEmission,
  emissionsTestingModule,
  runHandler,
  TestingError,
  type MethodOf,
} from 'nestjs-emissions/testing';
import type { SqlExecutor } from '../../lib/emission/sql-executor.js';
import { recorded } from '../support/recorded.js';

type Begun<T> = (transaction: string, executor: SqlExecutor) => Promise<T>;
const nowhere: SqlExecutor = { executeSql: () => Promise.resolve({ rows: [] }) };

@EmissionType('order.shipped')
class OrderShipped {
  constructor(readonly id: string) {}
}

@Injectable()
class SearchIndex {
  readonly calls: unknown[] = [];
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('order.*', { interested: ({ payload }) => payload.id !== 'dull' })
  async index(payload: { id: string }, emission: Emission, context: HandlerContext) {
    this.calls.push([payload, emission, context.attempt, context.handlerId]);
    await Promise.resolve();
    if (payload.id === 'broken') throw new Error('the index is broken');
    this.emissions.emit('order.indexed', { id: payload.id });
    await this.emissions.run(() => this.emissions.emit('nested'));
    return payload.id === 'known' ? IGNORED : `indexed ${payload.id}`;
  }

  @OnEmission(OrderShipped)
  ship({ id }: OrderShipped) {
    return id;
  }

  @OnEmission('a', { id: 'plain' })
  @OnEmission('a', { id: 'critical', critical: true })
  @OnEmission('a', { id: 'asking', interested: () => refuse() })
  twice(_: unknown, __: unknown, { handlerId }: HandlerContext) {
    return handlerId;
  }

  @OnEmission('stored')
  async store(_: unknown, __: unknown, context: HandlerContext) {
    const source = { source: {}, begin: <T>(work: Begun<T>) => work('a transaction', nowhere) };
    return context.transaction(source, (transaction) => {
      this.emissions.emit('in.a.transaction');
      return transaction;
    });
  }

  @OnEmission('slow', { timeoutMs: 1, retry: { attempts: 3 } })
  slow(_: unknown, __: unknown, { signal, attempt }: HandlerContext) {
    return { aborted: signal.aborted, attempt };
  }

  unmarked() {
    return 1;
  }
}

function refuse(): boolean {
  throw new Error('cannot tell');
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  constructor(@Inject(REQUEST) private readonly request: Emission) {}
  @OnEmission('order.*')
  tell() {
    return this.request.name;
  }
}

@Injectable()
class Elsewhere {
  @OnEmission('b')
  handle() {
    return 1;
  }
}

const order = (id: string) => createEmission('order.placed', { id });

async function boot() {
  return recorded('strict', { providers: [SearchIndex, PerRequest] });
}

describe('one emission through one handler', () => {
  it('is processed, with the result, and with what the handler emitted, which goes nowhere', async () => {
    await using app = await boot();
    const emission = order('1');
    const outcome = await runHandler(app.app, SearchIndex, 'index', emission);
    expect(outcome).toStrictEqual({ outcome: 'processed', result: 'indexed 1' });
    expect(outcome.emitted).toMatchObject([
      { name: 'order.indexed', payload: { id: '1' }, causationId: emission.id, depth: 1 },
      { name: 'nested', correlationId: emission.correlationId },
    ]);
    expect(app.app.get(SearchIndex).calls).toEqual([
      [{ id: '1' }, emission, 1, 'SearchIndex.index'],
    ]);
    await app.emissions.settled();
    expect(app.recorder.all()).toEqual([]);
  });

  it('is ignored, and what the handler emitted discarded', async () => {
    await using app = await boot();
    const outcome = await runHandler(app.app, SearchIndex, 'index', order('known'));
    expect(outcome).toStrictEqual({ outcome: 'ignored' });
    expect(outcome.emitted).toEqual([]);
  });

  it('does not interest it, by its interest or its pattern, and the handler is not called', async () => {
    await using app = await boot();
    const dull = await runHandler(app.app, SearchIndex, 'index', order('dull'));
    const other = await runHandler(app.app, SearchIndex, 'index', createEmission('user.created'));
    expect([dull, other]).toStrictEqual([
      { outcome: 'not-interested' },
      { outcome: 'not-interested' },
    ]);
    expect(app.app.get(SearchIndex).calls).toEqual([]);
  });

  it('throws what the handler throws, and what interested throws', async () => {
    await using app = await boot();
    const broken = runHandler(app.app, SearchIndex, 'index', order('broken'));
    await expect(broken).rejects.toThrow('the index is broken');
    const asking = runHandler(app.app, SearchIndex, 'twice', createEmission('a'), { id: 'asking' });
    await expect(asking).rejects.toThrow('cannot tell');
  });

  it('comes as an instance of its class', async () => {
    await using app = await boot();
    const shipped = createEmission(new OrderShipped('7'));
    const outcome = await runHandler(app.app, SearchIndex, 'ship', shipped);
    expect(outcome).toEqual({ outcome: 'processed', result: '7' });
  });

  it('builds a request-scoped host for it', async () => {
    await using app = await boot();
    const outcome = await runHandler(app.app, PerRequest, 'tell', order('1'));
    expect(outcome).toEqual({ outcome: 'processed', result: 'order.placed' });
  });

  it('goes to the first of several handlers on one method that takes it, or to the one that is named', async () => {
    await using app = await boot();
    const run = (id?: string) =>
      runHandler(app.app, SearchIndex, 'twice', createEmission('a'), { ...(id && { id }) });
    expect(await run()).toEqual({ outcome: 'processed', result: 'plain' });
    expect(await run('critical')).toEqual({ outcome: 'processed', result: 'critical' });
    await expect(run('none')).rejects.toThrow(
      /no handler SearchIndex\.twice with the id 'none': its handlers are .*'plain', 'critical', 'asking'/,
    );
  });

  it('is told the attempt and the signal that the test says', async () => {
    await using app = await boot();
    const slow = (options?: object) =>
      runHandler(app.app, SearchIndex, 'slow', createEmission('slow'), options);
    expect(await slow()).toMatchObject({ result: { aborted: false, attempt: 1 } });
    const outcome = await slow({ attempt: 3, signal: AbortSignal.abort() });
    expect(outcome).toMatchObject({ result: { aborted: true, attempt: 3 } });
  });

  it('can be handled in a transaction', async () => {
    await using app = await boot();
    const outcome = await runHandler(app.app, SearchIndex, 'store', createEmission('stored'));
    expect(outcome).toEqual({ outcome: 'processed', result: 'a transaction' });
  });

  it('works in a module that is compiled but not initialized', async () => {
    const module = await Test.createTestingModule({
      imports: [emissionsTestingModule()],
      providers: [Elsewhere],
    }).compile();
    const outcome = await runHandler(module, Elsewhere, 'handle', createEmission('b'));
    expect(outcome).toEqual({ outcome: 'processed', result: 1 });
    await module.close();
  });
});

describe('a handler there is not', () => {
  it.each([
    [
      'a method of another name',
      SearchIndex,
      'idnex',
      /SearchIndex\.idnex: its handlers are 'SearchIndex\.index', /,
    ],
    [
      'a method without a decorator',
      SearchIndex,
      'unmarked',
      /its handlers are 'SearchIndex\.index', /,
    ],
    [
      'a class that is no provider',
      Elsewhere,
      'handle',
      /Elsewhere is no provider or controller .*The handlers of the application are 'SearchIndex\.index', /,
    ],
    ['no method at all', OrderShipped, 'handle', /the class has no method handle/],
    [
      'no class',
      'SearchIndex',
      'index',
      /\(app, Class, 'method', emission\), but got 'SearchIndex'/,
    ],
  ])('is an error that names those there are: %s', async (_, type, method, message) => {
    await using app = await boot();
    const run = runHandler(app.app, type as never, method as never, order('1'));
    await expect(run).rejects.toThrow(TestingError);
    await expect(run).rejects.toThrow(message);
  });

  it('is given an emission, and nothing else', async () => {
    await using app = await boot();
    const run = runHandler(app.app, SearchIndex, 'index', undefined as never);
    await expect(run).rejects.toThrow(TestingError);
    await expect(run).rejects.toThrow(/but got undefined\. Make one: createEmission/);
  });

  it('is found in no application without the module', async () => {
    const module = await Test.createTestingModule({ providers: [] }).compile();
    const run = runHandler(module, Elsewhere, 'handle', createEmission('b'));
    await expect(run).rejects.toThrow(/does not import EmissionsModule\.forRoot/);
  });

  it('does not compile', () => {
    const method: MethodOf<SearchIndex> = 'index';
    // @ts-expect-error -- a property that is no method
    const property: MethodOf<SearchIndex> = 'calls';
    expect([method, property]).toEqual(['index', 'calls']);
  });
});
