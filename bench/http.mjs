// What does it cost a route to emit, on Express and on Fastify?
import { fork } from 'node:child_process';
import { join } from 'node:path';
import autocannon from 'autocannon';

const server = join(import.meta.dirname, 'harness', 'server.mjs');
const CONNECTIONS = 20;
const WARM_UP_S = 2;
const MEASURED_S = 4;

/** Requests per second that a server in a process of its own answers; it tells how many deliveries it saw. */
function serve(config) {
  return async () => {
    const child = fork(server, [JSON.stringify(config)], { stdio: 'ignore' });
    const answer = () => new Promise((resolve) => child.once('message', resolve));
    try {
      const { port } = await answer();
      const load = (duration) =>
        autocannon({
          url: `http://127.0.0.1:${port}/orders`,
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ id: 'order-1', total: 7 }),
          connections: CONNECTIONS,
          duration,
        });
      await load(WARM_UP_S);
      const measured = await load(MEASURED_S);
      child.send('count');
      const { requests, delivered } = await answer();
      if (measured.non2xx > 0 || measured.errors > 0) throw new Error(`${measured.non2xx} requests failed.`);
      if (delivered !== requests * config.expected) {
        throw new Error(`${requests} requests made ${delivered} deliveries, ${config.expected} each are right.`);
      }
      return measured.requests.total / measured.duration;
    } finally {
      child.kill('SIGKILL');
    }
  };
}

const FLOOR = 'what the promises cost by themselves';
const contenders = {};
const targets = [];
for (const platform of ['express', 'fastify']) {
  const add = (name, config, label) => {
    contenders[`${platform} ${name}`] = { run: serve({ platform, expected: 0, ...config }), label };
  };
  add('bare route', { kind: 'bare' });
  add('do-nothing interceptor', { kind: 'idle-interceptor' });
  add('do-nothing middleware', { kind: 'idle-middleware' }, 'what a middleware costs by itself');
  add('request-scoped interceptor', { kind: 'scoped-interceptor' }, 'does nothing');
  add('emissions interceptor, 0 emissions', { kind: 'interceptor', emissions: 0 });
  add('emissions interceptor, 3 emissions', { kind: 'interceptor', emissions: 3, expected: 9 });
  add('emissions middleware, 3 emissions', { kind: 'middleware', emissions: 3, expected: 9 });
  add('floor, interceptor', { kind: 'floor-interceptor', emissions: 3, expected: 9 }, FLOOR);
  add('floor, middleware', { kind: 'floor-middleware', emissions: 3, expected: 9 }, FLOOR);
  add('event-emitter, 3 events', { kind: 'event-emitter', emissions: 3, expected: 9 }, 'does less: no buffer');
  add('cqrs, 3 events', { kind: 'cqrs', emissions: 3, expected: 9 }, 'does less: no buffer');
  targets.push(
    {
      id: 'P3',
      says: `${platform}: interceptor, 3 emissions, 3 adapters, against a do-nothing interceptor`,
      of: `${platform} emissions interceptor, 3 emissions`,
      to: `${platform} do-nothing interceptor`,
      floor: { of: `${platform} floor, interceptor` },
      atLeast: 0.92,
    },
    {
      id: 'P3b',
      says: `${platform}: middleware, 3 emissions, 3 adapters, against the bare route`,
      of: `${platform} emissions middleware, 3 emissions`,
      to: `${platform} bare route`,
      floor: { of: `${platform} floor, middleware` },
      atLeast: 0.9,
    },
  );
}

export default {
  title: 'POST with 3 emissions to 3 adapters',
  unit: 'requests per second, the greater the better (client and server share the machine)',
  rounds: 5,
  contenders,
  targets,
};
