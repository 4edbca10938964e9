import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import { connect } from 'nestjs-emissions/client';
import { issueToken } from './tokens.js';

const REDIS_PORT = 16_404;

process.env['REDIS_URL'] ??= await startRedis();
const servers = [start(), start()];
const [first, second] = await Promise.all(
  servers.map(async (server) => String((await once(server, 'message'))[0])),
);
const token = await issueToken({ sub: 'ann', org: 'org-1' });
console.log(`Two processes: ${first} and ${second}\n`);

const socket = io(first!, { auth: { token }, transports: ['websocket'], reconnection: false });
const orders = connect(socket).channel('topic/orders');
const arrived: unknown[] = [];
orders.on(({ payload }) => {
  arrived.push(payload);
  console.log('  arrived', payload);
});
orders.onGap(() => console.log('  something is missing'));
await orders.ready;

console.log('An order at the second process, for a client at the first:');
await place(1);
await until(1);

console.log('Two more, while the client is away; it comes back to the second process:');
socket.disconnect();
await place(2);
await place(3);
(socket.io as unknown as { uri: string }).uri = second!;
socket.connect();
await until(3);

console.log(`
Now yours (Ctrl-C stops it):

  curl -N '${first}/live?token=${token}'
  curl ${second}/orders -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '{"id":"4","quantity":1}'
`);

function start() {
  return fork(join(import.meta.dirname, 'server.js'));
}

async function place(id: number): Promise<void> {
  const answer = await fetch(`${second}/orders`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ id: String(id), quantity: 1 }),
  });
  if (!answer.ok) throw new Error(`The order was refused: ${await answer.text()}`);
}

function until(count: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = orders.on(check);
    function check(): void {
      if (arrived.length < count) return;
      stop();
      resolve();
    }
    check();
  });
}

/** One of our own, that ends with this process. */
async function startRedis(): Promise<string> {
  const options = ['--port', String(REDIS_PORT), '--bind', '127.0.0.1', '--save', ''];
  const redis = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
  redis.once('error', () => {
    console.error('There is no redis-server here: install it, or set REDIS_URL.');
    process.exit(1);
  });
  process.once('exit', () => redis.kill());
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit());
  for await (const text of redis.stdout) {
    if (String(text).includes('Ready to accept connections')) break;
  }
  return `redis://127.0.0.1:${REDIS_PORT}`;
}
