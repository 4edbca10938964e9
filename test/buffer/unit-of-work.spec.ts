import { describe, expect, it } from '@jest/globals';
import { lab } from '../support/lab.js';

describe('what a unit of work has in common', () => {
  it('is stamped by the context of run, below what emit says', async () => {
    await using at = await lab();
    const context = {
      metadata: { ip: '::1', by: 'run' },
      tenant: 'a',
      source: 'job',
      correlationId: 'req-1',
    };
    await at.emissions.run(async () => {
      at.emissions.emit('plain');
      at.emissions.emit('said', {}, { by: 'emit' }, { tenant: 'b', source: 'hand' });
      await at.emissions.run(() => at.emissions.emit('nested'));
    }, context);
    const [plain, said, nested] = await at.delivered();
    expect(plain).toMatchObject(context);
    expect(said).toMatchObject({
      metadata: { ip: '::1', by: 'emit' },
      tenant: 'b',
      source: 'hand',
    });
    expect(said!.correlationId).toBe('req-1');
    expect(nested).toMatchObject(context);
  });

  it('is nothing where the context of run is null, as JavaScript may say', async () => {
    await using at = await lab();
    await at.emissions.run(() => at.emissions.emit('plain'), null as never);

    expect((await at.delivered()).map(({ name, source }) => [name, source])).toEqual([
      ['plain', undefined],
    ]);
  });

  it('is the correlation id of its first emission, wherever that was made', async () => {
    await using at = await lab();
    await at.emissions.run(async () => {
      await at.emissions.run(() => at.emissions.emit('first'), { tenant: 'a' });
      at.emissions.emit('second');
      await at.emissions.run(() => at.emissions.emit('third'), { source: 'b' });
      await at.emissions.run(() => at.emissions.emit('other'), { correlationId: 'own' });
      at.emissions.emit('last');
    });
    const delivered = await at.delivered();
    const first = delivered[0]!.id;
    expect(delivered.map(({ correlationId }) => correlationId)).toEqual([
      first,
      first,
      first,
      'own',
      first,
    ]);
  });

  it('is added to by the context of a nested run', async () => {
    await using at = await lab();
    const outer = { metadata: { a: 1, b: 1 }, tenant: 'a', source: 'outer' };
    await at.emissions.run(async () => {
      await at.emissions.run(() => at.emissions.emit('inner'), {
        metadata: { b: 2 },
        source: 'inner',
      });
      at.emissions.emit('outer');
    }, outer);
    const [inner, after] = await at.delivered();
    expect(inner).toMatchObject({ metadata: { a: 1, b: 2 }, tenant: 'a', source: 'inner' });
    expect(after).toMatchObject(outer);
  });

  it('cannot be changed afterwards', async () => {
    await using at = await lab();
    const context = { metadata: { list: [1] } };
    await at.emissions.run(() => {
      at.emissions.emit('a');
      context.metadata.list.push(2);
      at.emissions.emit('b');
    }, context);
    const [a, b] = await at.delivered();
    expect([a!.metadata, b!.metadata]).toEqual([{ list: [1] }, { list: [1] }]);
    expect(Object.isFrozen(a!.metadata)).toBe(true);
  });

  it.each([
    ['a promise', Promise.resolve({})],
    ['text', 'tenant-1'],
    ['metadata that is a list', { metadata: [1] }],
    ['metadata that is text', { metadata: 'x' }],
    ['a tenant that is an object', { tenant: { id: 1 } }],
    ['a source that is a function', { source: () => 'x' }],
    ['a correlation id that is a flag', { correlationId: true }],
  ])('refuses %s', async (_, context) => {
    await using at = await lab();
    const run = at.emissions.run(() => at.emissions.emit('a'), context as never);
    await expect(run).rejects.toMatchObject({ code: 'EMISSIONS_INVALID' });
  });

  it('takes ids that are numbers as text, and empty ones as not said', async () => {
    await using at = await lab();
    const numbers = { tenant: 7, correlationId: 8n } as never;
    await at.emissions.run(() => at.emissions.emit('a'), numbers);
    await at.emissions.run(() => at.emissions.emit('b'), { tenant: '', source: '' });
    const [a, b] = await at.delivered();
    expect(a).toMatchObject({ tenant: '7', correlationId: '8' });
    expect([b!.tenant, b!.source]).toEqual([undefined, undefined]);
  });
});

describe('What run stamps on emissions', () => {
  it('may be more than that, such as an emission that was received', async () => {
    await using at = await lab();
    const [received] = await at.emissions
      .run(() => void at.emissions.emit('received'), { tenant: 'a' })
      .then(() => at.delivered());
    await at.emissions.run(() => at.emissions.emit('answer'), received as never);
    expect((await at.delivered()).at(-1)).toMatchObject({
      name: 'answer',
      tenant: 'a',
      correlationId: received!.correlationId,
    });
  });

  it('is refused when nothing in it is stamped: a tenant that is misspelt would be none', async () => {
    await using at = await lab();
    const running = at.emissions.run(() => at.emissions.emit('a'), { tennant: 'a' } as never);
    await expect(running).rejects.toThrow(
      /has no "tennant"\. It has: correlationId, metadata, source, tenant; what else .* metadata/,
    );
    expect(await at.names()).toEqual([]);
  });
});
