// What does it cost to say that something happened, from the call to the last handler that heard it?
import { Injectable } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { CqrsModule, EventBus, EventsHandler } from '@nestjs/cqrs';
import Emittery from 'emittery';
import EventEmitter2Raw from 'eventemitter2';
import mitt from 'mitt';
import { Emissions, EmissionsModule, OnEmission } from '../dist/index.js';
import { application, handlersClass, payload } from './harness/applications.mjs';
import { boundedFloor, floor } from './harness/floors.mjs';
import { check, time } from './harness/timed.mjs';

const NAMES = ['order.created', 'stock.reserved', 'mail.queued'];

/** A class with handlers for each of so many names. */
function handlersOf(names, count, isAsync, on) {
  return NAMES.slice(0, names).map((name, i) => {
    const Handlers = handlersClass(count, isAsync, on(name));
    return Object.defineProperty(Handlers, 'name', { value: `Handlers${i}` });
  });
}

function checkAll(app, classes, count, emitted) {
  const tallies = classes.map((Handlers) => app.get(Handlers));
  const total = (field) => tallies.reduce((sum, tally) => sum + tally[field], 0);
  check({ calls: total('calls'), sum: total('sum') }, count, emitted);
}

/** Payloads with eight sets of fields. */
const varied = Array.from({ length: 8 }, (_, i) => ({
  ...payload(1),
  ...(i & 1 && { coupon: 'WELCOME' }),
  ...(i & 2 && { gift: true }),
  ...(i & 4 && { vat: 'DE811' }),
}));

function ours({ handlers: count, isAsync = false, snapshot = 'deep', per = 3, payloads = [payload(1)], names = 1 }) {
  return async () => {
    const classes = handlersOf(names, count, isAsync, OnEmission);
    const app = await application({
      imports: [EmissionsModule.forRoot({ snapshot, pipeline: { capacity: 100_000 } })],
      providers: classes,
    });
    const emissions = app.get(Emissions);
    let next = 0;
    const work = () => {
      for (let i = 0; i < per; i++) emissions.emit(NAMES[i % names], payloads[next++ % payloads.length]);
    };
    const { figure, emitted } = await time(() => emissions.run(work), per, () => emissions.settled({ timeoutMs: 60_000 }));
    checkAll(app, classes, count, emitted);
    return figure;
  };
}

function eventEmitter({ handlers: count, isAsync = false, per = 3, names = 1 }) {
  return async () => {
    const classes = handlersOf(names, count, isAsync, OnEvent);
    const app = await application({ imports: [EventEmitterModule.forRoot()], providers: classes });
    const emitter = app.get(EventEmitter2);
    const order = payload(1);
    const step = () => {
      for (let i = 0; i < per; i++) emitter.emit(NAMES[i % names], order);
    };
    const { figure, emitted } = await time(step, per, async () => {});
    checkAll(app, classes, count, emitted);
    return figure;
  };
}

function cqrs({ handlers: count, isAsync = false, per = 3 }) {
  return async () => {
    class OrderCreated {
      constructor(order) {
        Object.assign(this, order);
      }
    }
    const tally = { calls: 0, sum: 0 };
    const providers = Array.from({ length: count }, () => {
      class Handler {
        handle(event) {
          tally.calls++;
          tally.sum += event.total;
        }
      }
      if (isAsync) {
        Handler.prototype.handle = async (event) => {
          tally.calls++;
          tally.sum += event.total;
        };
      }
      Injectable()(Handler);
      EventsHandler(OrderCreated)(Handler);
      return Handler;
    });
    const app = await application({ imports: [CqrsModule.forRoot()], providers });
    await app.init();
    const bus = app.get(EventBus);
    const order = payload(1);
    const step = () => {
      for (let i = 0; i < per; i++) bus.publish(new OrderCreated(order));
    };
    const { figure, emitted } = await time(step, per, () => new Promise(setImmediate));
    check(tally, count, emitted);
    return figure;
  };
}

function bare(make) {
  return async () => {
    const tally = { calls: 0, sum: 0 };
    const listener = (order) => {
      tally.calls++;
      tally.sum += order.total;
    };
    const emit = make(listener);
    const order = payload(1);
    const { figure, emitted } = await time(
      () => {
        for (let i = 0; i < 3; i++) emit(order);
      },
      3,
      () => new Promise(setImmediate),
    );
    check(tally, 3, emitted);
    return figure;
  };
}

const times = (n, work) => Array.from({ length: n }, work);

const contenders = {};
for (const handlers of [1, 3, 10]) {
  for (const isAsync of [false, true]) {
    const of = `${handlers}×${isAsync ? 'async' : 'sync'}`;
    contenders[`emissions ${of}`] = { run: ours({ handlers, isAsync }), label: 'default: payload copied and frozen' };
    contenders[`emissions none ${of}`] = { run: ours({ handlers, isAsync, snapshot: 'none' }), label: "snapshot: 'none'" };
    contenders[`event-emitter ${of}`] = { run: eventEmitter({ handlers, isAsync }), label: 'does less: no buffer, no queue' };
    contenders[`floor ${of}`] = { run: floor({ handlers, isAsync }), label: 'what the promises cost by themselves' };
    contenders[`bounded floor ${of}`] = {
      run: boundedFloor({ handlers, isAsync }),
      label: 'the same with bounds, queues, retries, signals',
    };
    if (!isAsync) {
      contenders[`floor copied ${of}`] = {
        run: floor({ handlers, copies: true }),
        label: 'the same with a frozen copy, written for this payload',
      };
    }
    contenders[`cqrs ${of}`] = { run: cqrs({ handlers, isAsync }), label: 'does less: no buffer, no queue' };
  }
}
for (const per of [1, 100]) {
  contenders[`emissions 3×sync, ${per} a buffer`] = { run: ours({ handlers: 3, per }) };
  contenders[`event-emitter 3×sync, ${per} a time`] = { run: eventEmitter({ handlers: 3, per }), label: 'does less' };
}
contenders['emissions none 3×sync, 3 names'] = {
  run: ours({ handlers: 3, snapshot: 'none', names: 3 }),
  label: 'three names a buffer, each with handlers of its own',
};
contenders['event-emitter 3×sync, 3 names'] = { run: eventEmitter({ handlers: 3, names: 3 }), label: 'does less' };
const less = 'does much less: no Nest, no isolation';
contenders['emissions 3×sync, varied'] = {
  run: ours({ handlers: 3, payloads: varied }),
  label: 'payloads with eight sets of fields in turns',
};
contenders['mitt 3×sync'] = {
  label: less,
  run: bare((listener) => {
    const emitter = mitt();
    times(3, () => emitter.on('order.created', (order) => listener(order)));
    return (order) => emitter.emit('order.created', order);
  }),
};
contenders['eventemitter2 3×sync'] = {
  label: less,
  run: bare((listener) => {
    const emitter = new EventEmitter2Raw();
    times(3, () => emitter.on('order.created', (order) => listener(order)));
    return (order) => emitter.emit('order.created', order);
  }),
};
contenders['emittery 3×async'] = {
  label: less,
  run: bare((listener) => {
    const emitter = new Emittery();
    times(3, () => emitter.on('order.created', ({ data }) => listener(data)));
    return (order) => void emitter.emit('order.created', order);
  }),
};

const cost = { 1: 2.0, 3: 1.0, 10: 0.5 };
const targets = [1, 3, 10].flatMap((n) =>
  ['sync', 'async'].map((kind) => ({
    id: 'P1',
    says: `cost against event-emitter, ${n} ${kind} handlers`,
    of: `emissions none ${n}×${kind}`,
    to: `event-emitter ${n}×${kind}`,
    floor: { of: `floor ${n}×${kind}`, bounded: `bounded floor ${n}×${kind}` },
    atMost: cost[n],
  })),
);
targets.push(
  ...[1, 3, 10].map((n) => ({
    id: 'P1',
    says: `nanoseconds the default snapshot adds, ${n} sync handlers`,
    of: `emissions ${n}×sync`,
    to: `emissions none ${n}×sync`,
    floor: { of: `floor copied ${n}×sync`, to: `floor ${n}×sync` },
    difference: true,
    atMost: 400,
  })),
  ...['sync', 'async'].map((kind) => ({
    id: 'P2',
    says: `cost against cqrs, 3 ${kind} handlers`,
    of: `emissions none 3×${kind}`,
    to: `cqrs 3×${kind}`,
    floor: { of: `floor 3×${kind}`, bounded: `bounded floor 3×${kind}` },
    atMost: 0.3,
  })),
);

export default {
  title: 'an emission of a 300-byte payload, buffered in threes, committed, heard by every handler',
  unit: 'nanoseconds per emission, the smaller the better',
  rounds: 5,
  contenders,
  targets,
};
