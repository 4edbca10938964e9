import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Routes } from '../support/routes.js';
import { listen } from '../support/signals.js';
import { site, SITES, type Site } from '../support/site.js';
import { rounds } from '../support/until.js';

describe.each(SITES)('a request on %s with the %s', (server, integration) => {
  let at: Site;
  beforeAll(async () => {
    at = await site(server, integration, { controllers: [Routes] });
  });
  beforeEach(() => {
    at.sink.batches.length = 0;
  });
  afterAll(() => at[Symbol.asyncDispose]());

  it.each(['GET', 'HEAD', 'OPTIONS'])(
    '%s has no buffer: what it emits is dropped',
    async (method) => {
      using log = listen('emissions:emission:dropped', 'emissions:buffer:started');
      const { status, text } = await at.ask(method, '/method');
      expect([status, text]).toEqual([200, method === 'HEAD' ? '' : '{"taken":false}']);
      expect(await at.names()).toEqual([]);
      expect(log.all).toEqual([
        {
          channel: 'emissions:emission:dropped',
          message: { reason: 'unbuffered', emission: 'a', count: 1 },
        },
      ]);
    },
  );

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s has a buffer', async (method) => {
    expect((await at.ask(method, '/method')).text).toBe('{"taken":true}');
    expect(await at.names()).toEqual(['a']);
  });

  it.each([200, 201, 204, 299])('that answers %i is committed', async (code) => {
    expect((await at.post(`/status/${code}`)).status).toBe(code);
    expect(await at.names()).toEqual(['a']);
  });

  it.each([300, 302, 303, 400, 404, 422, 500])('that answers %i is terminated', async (code) => {
    using log = listen('emissions:buffer:terminated');
    expect((await at.post(`/status/${code}`)).status).toBe(code);
    expect(await at.names()).toEqual([]);
    expect(log.all.map(({ message }) => message)).toEqual([{ count: 1, savepoint: false }]);
  });

  it.each([
    [400, 400],
    [404, 404],
    [422, 422],
    [0, 500],
    [202, 202],
  ])('whose handler throws %i is decided by the status sent, %i', async (code, status) => {
    expect((await at.post(`/thrown/${code}`)).status).toBe(status);
    expect(await at.names()).toEqual(status < 300 ? ['a'] : []);
  });

  it.each([
    ['@HttpCode', '/accepted', 202, ['a']],
    ['@HttpCode', '/refused', 409, []],
    ['@Redirect', '/redirected', 303, []],
    ['a returned redirect', '/redirected/307', 307, []],
    ['a returned redirect', '/redirected/201', 201, ['a']],
    ['@Res()', '/manual/201', 201, ['a']],
    ['@Res()', '/manual/404', 404, []],
    ['@Res() in a callback', '/later/200', 200, ['a', 'b']],
    ['@Res() in a callback', '/later/500', 500, []],
    ['an exception filter', '/mapped/200', 200, ['a']],
    ['an exception filter', '/mapped/422', 422, []],
    ['a guard', '/guarded', 403, []],
    ['a pipe', '/piped/none', 400, []],
    ['a result that cannot be sent', '/unserializable', 500, []],
    ['a route that is not there', '/nowhere', 404, []],
  ])('answered by %s (%s) is decided by its status, %i', async (_, path, status, names) => {
    expect((await at.post(path)).status).toBe(status);
    expect(await at.names()).toEqual(names);
  });

  it.each([true, false])(
    'with a body that waits shows nothing before it is decided',
    async (fail) => {
      expect((await at.post('/waits', { fail })).status).toBe(fail ? 400 : 201);
      expect(await at.names()).toEqual(fail ? [] : ['a', 'b']);
    },
  );

  it('that committed by hand is left alone', async () => {
    const { status, text } = await at.post('/by-hand');
    expect([status, text]).toEqual([201, '{"committed":1}']);
    expect(await at.names()).toEqual(['a']);
  });

  it('that began to commit by hand and does not wait for it is answered when that is over', async () => {
    const passing = at.commits.hold();
    let answered = false;
    const answer = at.post('/by-hand/not-awaited').then((given) => {
      answered = true;
      return given;
    });
    await rounds(20);
    expect(answered).toBe(false);
    passing.pass();
    expect((await answer).status).toBe(201);
    expect(await at.names()).toEqual(['a']);

    const failing = at.commits.hold();
    const failed = at.post('/by-hand/not-awaited');
    await rounds(20);
    failing.refuse(new Error('no'));
    expect((await failed).status).toBe(500);
    expect(await at.names()).toEqual(['a']);
  });

  it('keeps what was flushed when it fails', async () => {
    expect((await at.post('/flushed')).status).toBe(500);
    expect(await at.names()).toEqual(['a']);
  });

  it('whose read-only route starts a buffer ends it with the response', async () => {
    expect((await at.ask('GET', '/started')).status).toBe(200);
    expect(await at.names()).toEqual(['a']);
    expect((await at.ask('GET', '/started/failing')).status).toBe(400);
    expect(await at.names()).toEqual(['a']);
  });

  it('takes nested runs in', async () => {
    expect((await at.ask('DELETE', '/nested')).status).toBe(200);
    expect(await at.names()).toEqual(['a', 'b']);
  });

  it('leaves no buffer behind', () => {
    expect(at.live).toBe(0);
  });
});

const TAKEN: Record<string, string> = {
  GET: '{"taken":true}',
  HEAD: '',
  OPTIONS: '{"taken":true}',
  POST: '{"taken":false}',
};

describe.each(SITES)('options on %s with the %s', (server, integration) => {
  it('skipMethods replaces the list of methods without a buffer', async () => {
    const http = { skipMethods: ['POST'] };
    await using at = await site(server, integration, { controllers: [Routes] }, { http });
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST']) {
      expect((await at.ask(method, '/method')).text).toBe(TAKEN[method]);
    }
    expect(await at.names()).toEqual(['a', 'a', 'a']);
  });

  it('shouldCommit says which statuses commit', async () => {
    const http = { shouldCommit: (status: number) => status === 303 };
    await using at = await site(server, integration, { controllers: [Routes] }, { http });
    for (const status of [201, 303, 500]) await at.post(`/status/${status}`);
    expect(await at.names()).toEqual(['a']);
    expect(at.live).toBe(0);
  });

  it('shouldCommit that throws answers 500 and discards', async () => {
    const shouldCommit = (): never => {
      throw new Error('no');
    };
    await using at = await site(
      server,
      integration,
      { controllers: [Routes] },
      { http: { shouldCommit } },
    );
    expect((await at.post('/accepted')).status).toBe(500);
    expect(await at.names()).toEqual([]);
    expect(at.live).toBe(0);
  });
});
