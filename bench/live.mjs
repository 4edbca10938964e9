// What does it cost to bring an emission to many browsers of a tenant? The clients are in a process of their own.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';
import { Emissions, EmissionsModule } from '../dist/index.js';
import { EmissionsGatewayModule, toWire } from '../dist/gateway/index.js';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { payload } from './harness/applications.mjs';

/** How many messages each run delivers in all, after half as many to warm up. */
const DELIVERIES = 600_000;
const body = payload(1);

/** Clients of a server: how many messages and emissions they have got together. */
async function audience(url, clients, mode) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'harness', 'audience.mjs'), url, String(clients), mode], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let got = 0;
  let wake = () => {};
  await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The clients ended with ${code}.`)));
    child.on('message', (message) => {
      if (message === 'ready') resolve();
      else got = message;
      wake();
    });
  });
  child.removeAllListeners('exit');
  return {
    async until(count) {
      while (got < count) await new Promise((resolve) => (wake = resolve));
      if (got > count) throw new Error(`${got} instead of ${count} arrived.`);
    },
    close: () => child.kill(),
  };
}

/** Emissions delivered a second. `send(n)` has n of them leave, and waits for room when the sockets want that. */
async function rate(clients, send, listeners, atOnce) {
  let sent = 0;
  const run = async (count) => {
    const target = sent + Math.ceil(count / clients);
    while (sent < target) {
      await send(atOnce);
      sent += atOnce;
      // A round for what is to be written; and clients that are behind are waited for, in every contender alike.
      await new Promise(setImmediate);
      if (sent % (atOnce * 50) === 0) await listeners.until(sent * clients);
    }
    await listeners.until(sent * clients);
  };
  await run(DELIVERIES / 2);
  const before = sent;
  const started = performance.now();
  await run(DELIVERIES);
  const seconds = (performance.now() - started) / 1_000;
  listeners.close();
  return ((sent - before) * clients) / seconds;
}

function ours(clients, atOnce) {
  return async () => {
    class Root {}
    Module({
      imports: [
        EmissionsModule.forRoot({ snapshot: 'none' }),
        EmissionsGatewayModule.forRoot({ authenticate: () => ({ tenant: 'a' }), maxClientQueue: 100_000 }),
      ],
    })(Root);
    const app = await NestFactory.create(Root, { logger: ['error', 'warn'] });
    await app.listen(0, '127.0.0.1');
    const emissions = app.get(Emissions);
    const listeners = await audience(await app.getUrl(), clients, 'gateway');
    const options = { tenant: 'a' };
    const send = (count) =>
      emissions.run(() => {
        for (let i = 0; i < count; i++) emissions.emit('order.created', body, undefined, options);
      });
    return rate(clients, send, listeners, atOnce);
  };
}

function listenHttp(server) {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`)),
  );
}

/** What each message says: the same as of ours. */
const item = (n) => ({
  ...toWire({ id: '01890000-0000-7000-8000-000000000000', name: 'order.created', payload: body, metadata: {}, occurredAt: 1 }),
  offset: `AAAAAAAAAAA:${n}`,
});

function rawSocketIo(clients, atOnce) {
  return async () => {
    const server = createServer();
    const io = new Server(server);
    io.on('connection', (socket) => {
      socket.on('subscribe', (_, answer) => {
        socket.join('room');
        answer({ ok: true });
      });
    });
    const listeners = await audience(await listenHttp(server), clients, 'gateway');
    let n = 0;
    const send = (count) => {
      for (let i = 0; i < count; i++) io.to('room').emit('emissions', [item(n++)]);
    };
    return rate(clients, send, listeners, atOnce);
  };
}

function rawWs(clients, atOnce) {
  return async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    const listeners = await audience(await listenHttp(server), clients, 'ws');
    let n = 0;
    const send = (count) => {
      for (let i = 0; i < count; i++) {
        const text = JSON.stringify(['emissions', [item(n++)]]);
        for (const socket of sockets.clients) socket.send(text);
      }
    };
    return rate(clients, send, listeners, atOnce);
  };
}

const contenders = {};
for (const clients of [100, 1_000]) {
  for (const [name, make] of Object.entries({ emissions: ours, 'socket.io': rawSocketIo, ws: rawWs })) {
    contenders[`${name}, ${clients} clients, one by one`] = { run: make(clients, 1) };
    contenders[`${name}, ${clients} clients, backlog`] = { run: make(clients, 50) };
  }
}

export default {
  title: 'Emissions to the sockets of one tenant',
  unit: 'emissions delivered per second, all clients together',
  contenders,
  targets: [100, 1_000].flatMap((clients) => [
    {
      id: `P8-${clients}`,
      says: `one by one to ${clients} sockets, of socket.io's to(room).emit`,
      of: `emissions, ${clients} clients, one by one`,
      to: `socket.io, ${clients} clients, one by one`,
      atLeast: 0.9,
    },
    {
      id: `P8b-${clients}`,
      says: `with a backlog to ${clients} sockets, of socket.io's one message each`,
      of: `emissions, ${clients} clients, backlog`,
      to: `socket.io, ${clients} clients, backlog`,
      atLeast: 4,
    },
  ]),
};
