import { describe, expect, it } from '@jest/globals';
import { ServiceUnavailableException } from '@nestjs/common';
import { InterceptedOrders, Orders, placed, serveGraphql } from '../support/graphql.js';
import { holdCommits } from '../support/hold-commits.js';
import { range } from '../support/pipeline.js';
import { listen } from '../support/signals.js';

describe.each([
  ['on the resolver', InterceptedOrders, 'manual'],
  ['everywhere', Orders, 'global'],
] as const)('a GraphQL operation, with the interceptor %s', (_, resolver, interceptor) => {
  it('that is a mutation is answered when its emissions are committed', async () => {
    await using at = await serveGraphql(resolver, interceptor);
    const held = holdCommits(at.emissions);
    let answer: unknown = 'none';
    const asked = at.ask('mutation { place(id: 7) { id } }').then((body) => (answer = body));
    await held.reached;
    expect(await at.ask('{ taken }')).toEqual({ data: { taken: false } });
    expect(answer).toBe('none');
    held.pass();
    expect(await asked).toEqual({ data: { place: { id: 7 } } });
    expect(await at.delivered()).toEqual(placed(7));
  });

  it('that is a query has no buffer, unless it is marked @Buffered()', async () => {
    await using at = await serveGraphql(resolver, interceptor);
    using log = listen('emissions:buffer:started', 'emissions:emission:dropped');
    expect(await at.ask('{ taken }')).toEqual({ data: { taken: false } });
    expect(log.all.map(({ message }) => message)).toEqual([
      { reason: 'unbuffered', emission: 'order.read', count: 1 },
    ]);
    expect(await at.ask('{ audited }')).toEqual({ data: { audited: true } });
    expect(await at.delivered()).toEqual([['order.audited', undefined]]);
  });

  it('has one buffer for all its mutations, handed over at once, when the last one is done', async () => {
    await using at = await serveGraphql(resolver, interceptor);
    using log = listen('emissions:buffer:started', 'emissions:buffer:committed');
    const answer = await at.ask('mutation { a: place(id: 1) { id } b: place(id: 2) { id } }');
    expect(answer).toEqual({ data: { a: { id: 1 }, b: { id: 2 } } });
    expect(await at.delivered()).toEqual(placed(1, 2));
    expect(log.all.map(({ message }) => message.count)).toEqual([1, 4]);
    const [first] = at.sink.emissions;
    expect(at.sink.emissions.map(({ correlationId }) => correlationId)).toEqual(
      Array(4).fill(first!.id),
    );
  });

  it.each([
    ['throws', 'a: place(id: 1) { id } refuse(id: 2) { id }', 'sold out', 4],
    ['throws, and another one succeeds', 'refuse(id: 2) { id } a: place(id: 1) { id }', 'sold', 4],
    ['gives a value of another type', 'misfit(id: 1)', 'cannot represent', 2],
    ['has a field that fails', 'place(id: -1) { id label }', 'no label', 3],
    ['has a field that fails, and takes none for it', 'place(id: 1) { note }', 'no note', 3],
  ])('delivers nothing when one of its mutations %s', async (_case, fields, message, count) => {
    await using at = await serveGraphql(resolver, interceptor);
    using log = listen('emissions:buffer:terminated');
    expect(await at.ask(`mutation { ${fields} }`)).toMatchObject({
      errors: [{ message: expect.stringContaining(message) }],
    });
    expect(log.all.map(({ message: said }) => said)).toEqual([{ count, savepoint: false }]);
    expect(await at.delivered()).toEqual([]);
  });

  it('has the same buffer in field resolvers', async () => {
    await using at = await serveGraphql(resolver, interceptor);
    using log = listen('emissions:buffer:started');
    const answer = await at.ask('mutation { place(id: 1) { id label } }');
    expect(answer).toEqual({ data: { place: { id: 1, label: 'order 1' } } });
    expect(await at.delivered()).toEqual([...placed(1), ['order.labelled', 1]]);
    expect(log.all).toHaveLength(1);
    expect(new Set(at.sink.emissions.map(({ correlationId }) => correlationId)).size).toBe(1);
  });

  it('takes nothing from a mutation marked @Unbuffered(), and all from others beside it', async () => {
    await using at = await serveGraphql(resolver, interceptor);
    const answer = await at.ask('mutation { quiet place(id: 1) { id } }');
    expect(answer).toEqual({ data: { quiet: false, place: { id: 1 } } });
    expect(await at.delivered()).toEqual(placed(1));
  });

  it('has a buffer of its own beside others', async () => {
    await using at = await serveGraphql(resolver, interceptor);
    const ids = range(1, 40);
    const answers = await Promise.all(
      ids.map((id) => at.ask(`mutation { ${id % 2 ? 'refuse' : 'place'}(id: ${id}) { id } }`)),
    );
    expect(answers.filter((answer) => Object.hasOwn(answer, 'errors'))).toHaveLength(20);
    const delivered = await at.delivered();
    const even = ids.filter((id) => id % 2 === 0);
    const order = delivered.filter((_, i) => i % 2 === 0).map(([, id]) => id as number);
    expect(order.toSorted((a, b) => a - b)).toEqual(even);
    expect(delivered).toEqual(placed(...order));
    const correlated = Map.groupBy(at.sink.emissions, ({ correlationId }) => correlationId);
    expect([...correlated.values()].map(({ length }) => length)).toEqual(even.map(() => 2));
  });

  it('is answered with the error of a commit that fails', async () => {
    await using at = await serveGraphql(resolver, interceptor);
    const refuse = (): never => {
      throw new ServiceUnavailableException('not now');
    };
    at.emissions.subscribe('order.paid', refuse, { critical: true });
    expect(await at.ask('mutation { place(id: 1) { id } }')).toMatchObject({
      errors: [{ message: 'not now' }],
      data: null,
    });
    expect(await at.delivered()).toEqual([]);
  });

  it('ends by its own outcome beside others of one HTTP request', async () => {
    await using at = await serveGraphql(resolver, interceptor, { allowBatchedHttpRequests: true });
    const batch = ['place(id: 1) { id }', 'refuse(id: 2) { id }', 'place(id: 3) { id }'];
    const answer = await at.post(batch.map((field) => ({ query: `mutation { ${field} }` })));
    expect(await answer.json()).toMatchObject([{}, { errors: [{ message: 'sold out' }] }, {}]);
    const delivered = await at.delivered();
    expect([placed(1, 3), placed(3, 1)]).toContainEqual(delivered);
  });

  it('has one buffer also when the application makes the context', async () => {
    const context = () => ({ user: 'ann' });
    await using at = await serveGraphql(resolver, interceptor, { context });
    await at.ask('mutation { place(id: 1) { id label } b: refuse(id: 2) { id } }');
    expect(await at.delivered()).toEqual([]);
    await at.ask('mutation { place(id: 1) { id label } }');
    expect(await at.delivered()).toEqual([...placed(1), ['order.labelled', 1]]);
    expect(at.sink.sizes).toEqual([3]);
  });
});
