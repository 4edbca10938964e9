import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { until } from '../support/until.js';
import { loadSample } from './load-sample.js';

jest.setTimeout(30_000);

interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly events: { readonly type: string; readonly data: { readonly id: string } }[];
  secret: string;
}

interface Endpoint {
  readonly id: string;
  readonly secrets: readonly [string, ...string[]];
}

describe('Webhooks to customers', () => {
  let app: INestApplication;
  let url: string;
  let startReceiver: () => Promise<Receiver>;

  beforeAll(async () => {
    // A database of its own, in the process.
    delete process.env['DATABASE_URL'];
    ({ startReceiver } = await loadSample<{ startReceiver: typeof startReceiver }>(
      '08-webhooks/src/receiver',
    ));
    const { createApp } = await loadSample<{ createApp(): Promise<INestApplication> }>(
      '08-webhooks/src/create-app',
    );
    app = await createApp();
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });
  afterAll(() => app?.close());

  async function post(path: string, org: string, body: object): Promise<Endpoint> {
    const headers = { 'content-type': 'application/json', 'x-org': org };
    const response = await fetch(url + path, {
      ...{ method: 'POST', headers },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(201);
    return (await response.json()) as Endpoint;
  }

  async function registered(org: string): Promise<Receiver & { readonly id: string }> {
    const receiver = await startReceiver();
    const { id, secrets } = await post('/endpoints', org, { url: receiver.url });
    receiver.secret = secrets[0];
    return Object.assign(receiver, { id });
  }

  const order = (org: string, id: string) => post('/orders', org, { id, total: 1 });
  const ids = ({ events }: Receiver) => events.map(({ data }) => data.id);

  it('tell each customer of his orders, in order, whether another endpoint is dead or not', async () => {
    await using one = await registered('one');
    await using beside = await registered('one');
    await using two = await registered('two');
    await post('/endpoints', 'one', { url: 'http://127.0.0.1:1/dead' });
    for (const id of ['1', '2', '3', '4']) {
      // oxlint-disable-next-line no-await-in-loop -- one behind another
      await order('one', id);
    }
    await order('two', '5');
    await until(() => ids(one).length + ids(beside).length + ids(two).length >= 9);
    expect([ids(one), ids(beside), ids(two)]).toEqual([
      ['1', '2', '3', '4'],
      ['1', '2', '3', '4'],
      ['5'],
    ]);
    expect(one.events[0]).toMatchObject({ type: 'order.created', tenant: 'one' });
  });

  it('are signed with the old secret, too, when there is a new one', async () => {
    await using end = await registered('rotating');
    const { secrets } = await post(`/endpoints/${end.id}/rotate`, 'rotating', {});
    await order('rotating', '1');
    await until(() => ids(end).length === 1);
    end.secret = secrets[0];
    await order('rotating', '2');
    await until(() => ids(end).length === 2);
    expect(ids(end)).toEqual(['1', '2']);
  });

  it('are tried again until the customer verifies them', async () => {
    await using end = await registered('late');
    const { secret } = end;
    end.secret = `whsec_${Buffer.from('of somebody else, for now').toString('base64')}`;
    await order('late', '1');
    await order('late', '2');
    end.secret = secret;
    await until(() => ids(end).length === 2);
    expect(ids(end)).toEqual(['1', '2']);
  });
});
