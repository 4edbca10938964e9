import { createApp } from './create-app.js';
import type { Endpoint } from './endpoints.js';
import { startReceiver, type Receiver } from './receiver.js';

const app = await createApp();
await app.listen(0, '127.0.0.1');
const url = await app.getUrl();
const [acme, umbrella] = [await startReceiver(), await startReceiver()];

console.log('acme and umbrella register an endpoint each, acme one more, where nobody answers.');
const endpoint = await register('acme', acme);
await register('umbrella', umbrella);
await post('/endpoints', 'acme', { url: 'http://127.0.0.1:1/dead' });

await post('/orders', 'acme', { id: '1', total: 10 });
await post('/orders', 'umbrella', { id: '2', total: 20 });
await post('/orders', 'acme', { id: '3', total: 30 });
await told(acme, 2);
await told(umbrella, 1);
show();

console.log(
  '\nacme gets a new secret. It is told with the old one in use still, and then with the new one.',
);
const rotated = await post<Endpoint>(`/endpoints/${endpoint.id}/rotate`, 'acme', {});
await post('/orders', 'acme', { id: '4', total: 40 });
await told(acme, 3);
acme.secret = rotated.secrets[0]!;
await post('/orders', 'acme', { id: '5', total: 50 });
await told(acme, 4);
show();

console.log('\nThe dead endpoint is tried again with growing pauses, and harms nobody.');
await app.close();
await acme[Symbol.asyncDispose]();
await umbrella[Symbol.asyncDispose]();

async function register(org: string, receiver: Receiver): Promise<Endpoint> {
  const registered = await post<Endpoint>('/endpoints', org, { url: receiver.url });
  receiver.secret = registered.secrets[0]!;
  return registered;
}

async function post<T>(path: string, org: string, body: object): Promise<T> {
  const headers = { 'content-type': 'application/json', 'x-org': org };
  const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return (await response.json()) as T;
}

async function told({ events }: Receiver, count: number): Promise<void> {
  while (events.length < count) await new Promise((resolve) => setTimeout(resolve, 20));
}

function show(): void {
  for (const [name, { events }] of Object.entries({ acme, umbrella })) {
    console.log(
      `  ${name} has verified: ${events.map(({ data }) => JSON.stringify(data)).join(' ')}`,
    );
  }
}
