// A million attempts to subscribe: to channels that are none, that are refused, that are made up by the thousand, with offsets that
// nobody gave out; by connections that come back whenever they are cut. Memory is to stay. `node --expose-gc bench/soak/flood.mjs
// [attempts]`, after `npm run build`.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WebSocket } from 'ws';
import { EmissionsGatewayModule } from '../../dist/gateway/index.js';
import { EmissionsModule, onSignal } from '../../dist/index.js';

const [attempts = 1_000_000] = process.argv.slice(2).map(Number);

class Root {}
Module({
  imports: [
    EmissionsModule.forRoot(),
    EmissionsGatewayModule.forRoot({
      authenticate: ({ handshake }) => ({ tenant: `tenant-${handshake.auth.tenant}` }),
      authorize: async (_, channel) => !channel.includes('secret'),
    }),
  ],
})(Root);
const app = await NestFactory.create(Root, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
const url = `${(await app.getUrl()).replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;

let denied = 0;
let subscribed = 0;
let connections = 0;
onSignal('emissions:gateway:denied', () => denied++);
onSignal('emissions:gateway:subscribed', () => subscribed++);

const mb = (bytes) => Number((bytes / 2 ** 20).toFixed(1));
const heap = () => (globalThis.gc?.(), mb(process.memoryUsage().heapUsed));
let sent = 0;

const KINDS = [
  (n) => ({ channel: `entity/made-up/${n}` }),
  (n) => ({ channel: `event/secret.n${n}` }),
  (n) => ({ channel: `event/n${n}`, after: `AAAAAAAAAAA:${n}` }),
  (n) => ({ channel: `topic/t${n % 7}`, after: '__proto__:1' }),
  (n) => ({ channel: `nothing/${n}` }),
  (n) => ({ channel: 'x'.repeat(n % 5_000), more: n }),
  () => null,
];

/** Asks until it is cut off, or all has been asked. */
function attack() {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.once('error', () => {});
    socket.once('close', resolve);
    socket.once('open', () => {
      connections++;
      socket.send(`40{"tenant":${connections % 50}}`);
    });
    socket.on('message', (message) => {
      if (!message.toString().startsWith('40')) return;
      const ask = () => {
        for (let i = 0; i < 50 && sent < attempts; i++, sent++)
          socket.send(`42${i}${JSON.stringify(['subscribe', KINDS[sent % KINDS.length](sent)])}`);
        if (sent >= attempts) return setTimeout(() => socket.close(), 50);
        if (socket.readyState === WebSocket.OPEN) setImmediate(ask);
      };
      ask();
    });
  });
}

const before = heap();
const series = [];
let next = attempts / 10;
async function attacker() {
  while (sent < attempts) {
    await attack();
    if (sent >= next) {
      next += attempts / 10;
      series.push(heap());
    }
  }
}
const started = performance.now();
await Promise.all(Array.from({ length: 20 }, attacker));
await new Promise((resolve) => setTimeout(resolve, 3_000));
const after = heap();
console.log(`${sent} attempts by ${connections} connections in ${Math.round((performance.now() - started) / 1_000)} s`);
console.log(`  let in ${subscribed}, refused ${denied}; the rest was cut off with its connection`);
console.log(`  heap, MB: ${before} before, ${series.join(' ')} meanwhile, ${after} in the end`);
const broken = after > before + 20 || Math.max(...series) > before + 100;
if (broken) console.log('  BROKEN: memory grows.');
process.exit(broken ? 1 : 0);
