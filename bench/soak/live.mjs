// A minute of 200 clients, half of which stop reading: nobody else is to notice, and memory is to stay. By itself, not one of the
// benchmarks: `node bench/soak/live.mjs [seconds] [clients]`, after `npm run build`.
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { io } from 'socket.io-client';
import { connect } from '../../dist/client/index.js';
import { EmissionsGatewayModule } from '../../dist/gateway/index.js';
import { Emissions, EmissionsModule, onSignal } from '../../dist/index.js';

const [seconds = 60, clients = 200] = process.argv.slice(2).map(Number);
const text = 'x'.repeat(16_000);

class Root {}
Module({
  imports: [
    EmissionsModule.forRoot(),
    EmissionsGatewayModule.forRoot({ authenticate: () => ({ tenant: 'a' }), maxClientQueue: 200 }),
  ],
})(Root);
const app = await NestFactory.create(Root, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
const url = await app.getUrl();
const emissions = app.get(Emissions);
let slow = 0;
onSignal('emissions:gateway:slow', () => slow++);

const frame = (body) => Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), Buffer.from(body)]);

/** Follows everything, and then never reads again; comes back whenever it is cut off. */
async function deaf() {
  const { port, hostname } = new URL(url);
  const tcp = connectTcp(Number(port), hostname);
  tcp.on('error', () => {});
  await once(tcp, 'connect');
  // One that reads nothing does not learn that it was cut off, unless it writes.
  const writing = setInterval(() => tcp.write(frame('3')), 500);
  tcp.once('close', () => {
    clearInterval(writing);
    if (!stopping) setTimeout(deaf, 500);
  });
  tcp.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n',
  );
  let all = '';
  const steps = [['0{"sid"', '40{}'], ['40{"sid"', '420["subscribe",{"channel":"*"}]'], ['"ok":true', undefined]];
  tcp.on('data', (chunk) => {
    all += chunk.toString('latin1');
    if (steps.length === 0 || !all.includes(steps[0][0])) return;
    const [, answer] = steps.shift();
    all = '';
    if (answer !== undefined) tcp.write(frame(answer));
    else tcp.pause();
  });
}

let stopping = false;
let ways = [];
const readers = Array.from({ length: clients / 2 }, () => {
  const reader = { last: 0, wrong: 0 };
  const socket = io(url, { transports: ['websocket'], forceNew: true });
  reader.socket = socket;
  reader.channel = connect(socket).channel('*');
  reader.channel.on(({ payload }) => {
    if (payload.n !== reader.last + 1) reader.wrong++;
    reader.last = payload.n;
    ways.push(performance.now() - payload.at);
  });
  return reader;
});
await Promise.all(readers.map(({ channel }) => channel.ready));

let n = 0;
const mb = (bytes) => Math.round(bytes / 2 ** 20);
const memory = [];

/** Emits for so long; how long the way to a reader took. */
async function emit(forSeconds, every) {
  ways = [];
  const begun = performance.now();
  let noted = begun;
  while (performance.now() - begun < forSeconds * 1_000) {
    await emissions.run(() => emissions.emit('tick', { n: ++n, at: performance.now(), text }, undefined, { tenant: 'a' }));
    await pause(10);
    if (performance.now() - noted < every * 1_000) continue;
    noted = performance.now();
    memory.push(mb(process.memoryUsage().rss));
  }
  ways.sort((a, b) => a - b);
  const at = (share) => `${ways[Math.floor((ways.length - 1) * share)].toFixed(1)} ms`;
  return `median ${at(0.5)}, 99 of 100 within ${at(0.99)}, longest ${at(1)}`;
}

const alone = await emit(seconds / 6, Infinity);
for (let i = 0; i < clients / 2; i++) await deaf();
const beside = await emit(seconds, seconds / 12);
stopping = true;
const deadline = performance.now() + 10_000;
while (readers.some(({ last }) => last < n) && performance.now() < deadline) await pause(10);
const missing = readers.filter(({ last }) => last < n).length;
const wrong = readers.reduce((sum, reader) => sum + reader.wrong, 0);
const { heapUsed } = (globalThis.gc?.(), process.memoryUsage());
console.log(`${seconds} s, ${clients} clients, half of them deaf, ${n} emissions of 16 KB`);
console.log(`  cut off for not reading   ${slow}`);
console.log(`  readers that are behind   ${missing}; out of order, missing or repeated ${wrong}`);
console.log(`  way to a reader, alone    ${alone}`);
console.log(`  beside the deaf half      ${beside}`);
console.log(`  memory, MB                ${memory.join(' ')}`);
console.log(`  heap in the end, MB       ${mb(heapUsed)}`);
// What grows without bound is still growing in the second half.
const half = memory.length >> 1;
const grows = Math.max(...memory.slice(half)) > 1.3 * Math.max(...memory.slice(0, half));
if (grows) console.log('  BROKEN: memory grows.');
process.exit(missing + wrong === 0 && !grows ? 0 : 1);
