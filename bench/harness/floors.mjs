// What the promises cost by themselves, written by hand for one question, so that it is known how much is left to gain.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import { handlersClass, payload } from './applications.mjs';
import { check, time } from './timed.mjs';

/**
 * What the promises cost by themselves, written down in one place with nothing around it: an asynchronous context and a
 * promise for each unit of work; for each emission the time, an identifier, a frozen envelope, and an asynchronous context
 * for its handlers, outside that of whoever emitted, which each enters anew, as none may leave anything in it for the next; for
 * each call an object that says which attempt it is, and a handler that throws harms nobody. Handlers that return promises are
 * waited for, and have a context each, as what one of them emits is handed over when it has succeeded, and discarded when it has
 * failed; who is waited for is known, as shutdown has to give them up. No patterns, no queues, no bounds, no retries, no telemetry.
 */
export function floor({ handlers: count, isAsync = false, copies = false }) {
  return async () => {
    const Handlers = handlersClass(count, isAsync, () => {});
    const instance = new Handlers();
    const methods = Object.getOwnPropertyNames(Handlers.prototype)
      .filter((name) => name.startsWith('on'))
      .map((name) => instance[name].bind(instance));
    const storage = new AsyncLocalStorage();
    const outside = new AsyncResource('outside');
    const order = payload(1);
    let made = 0;
    const committed = [];
    const emit = () => {
      const id = `019a9f3e-7c00-7a2b-9d1e-${made++}`;
      const name = 'order.created';
      const occurredAt = performance.now();
      storage.getStore().buffer.push(
        Object.freeze({ id, name, payload: copies ? copy(order) : order, metadata: undefined, correlationId: id, depth: 0, occurredAt }),
      );
    };
    const work = () => {
      for (let i = 0; i < 3; i++) emit();
    };
    const pending = [];
    let failed = 0;
    const contextOf = (unit) => {
      storage.enterWith(unit);
      return new AsyncResource('handler');
    };
    const call = (method, emission) => method(emission.payload, emission, { attempt: 1, handlerId: method.name });
    const alone = (unit, method) => {
      storage.enterWith(unit);
      return call(method, unit.cause);
    };
    const over = (unit) => {
      const last = pending.pop();
      if (last !== unit) pending[(last.at = unit.at)] = last;
    };
    const follow = (result, unit) => {
      unit.at = pending.push(unit) - 1;
      result.then(
        () => {
          over(unit);
          if (unit.buffer !== undefined) handOver(unit.buffer);
        },
        () => {
          over(unit);
          unit.buffer = undefined;
          failed++;
        },
      );
    };
    const waitFor = (emission, method) => {
      const unit = { cause: emission, buffer: undefined, at: -1 };
      follow(outside.runInAsyncScope(alone, undefined, unit, method), unit);
    };
    const handle = (emission) => {
      let context;
      for (const method of methods) {
        try {
          if (isAsync) waitFor(emission, method);
          else {
            context ??= outside.runInAsyncScope(contextOf, undefined, { cause: emission, buffer: undefined, at: -1 });
            context.runInAsyncScope(call, undefined, method, emission);
          }
        } catch {
          failed++;
        }
      }
    };
    const deliver = () => {
      for (const emission of committed) handle(emission);
      committed.length = 0;
    };
    const handOver = (buffer) => {
      if (committed.length === 0) setImmediate(deliver);
      committed.push(...buffer);
    };
    const step = () => {
      const unit = { buffer: [] };
      storage.run(unit, work);
      handOver(unit.buffer);
      return Promise.resolve();
    };
    const finish = async () => {
      do await new Promise(setImmediate);
      while (pending.length > 0);
    };
    const { figure, emitted } = await time(step, 3, finish);
    if (failed > 0) throw new Error(`${failed} calls failed.`);
    check(instance, count, emitted);
    return figure;
  };
}

/**
 * The same with what a call needs besides, still in one place and for this question alone: each consumer is found by the name, has a
 * queue that is bounded, refuses a commit it has no room for, and works on at most sixteen emissions side by side, after which the
 * promises there are settle first; it learns which attempt it is and can ask for a signal, may say that an emission does not concern
 * it, and is retried when it fails; who runs is known; somebody may listen to what becomes of calls, or wait until all is done.
 * Handlers that return at once share an asynchronous context. Nobody gives a call up, no handler emits, no keys, no patterns, no
 * options, no names for the steps a call takes.
 */
export function boundedFloor({ handlers: count, isAsync = false }) {
  return async () => {
    const Handlers = handlersClass(count, isAsync, () => {});
    const instance = new Handlers();
    const consumers = Object.getOwnPropertyNames(Handlers.prototype)
      .filter((name) => name.startsWith('on'))
      .map((name) => new Consumer(name, instance[name].bind(instance)));
    const routes = new Map([['order.created', consumers]]);
    const storage = new AsyncLocalStorage();
    const outside = new AsyncResource('outside');
    const order = payload(1);
    let made = 0;
    let arrived = [];
    let round = [];
    let next = 0;
    let isCalled = false;
    let settled;

    const emit = (name) => {
      const { buffer, cause } = storage.getStore();
      if (buffer.length >= CAPACITY) throw new Error('The buffer is full.');
      const occurredAt = performance.now();
      const id = `019a9f3e-7c00-7a2b-9d1e-${made++}`;
      buffer.push(
        Object.freeze({
          id,
          name,
          topic: undefined,
          payload: order,
          metadata: undefined,
          tenant: undefined,
          key: undefined,
          correlationId: cause?.correlationId ?? id,
          causationId: cause?.id,
          depth: cause === undefined ? 0 : cause.depth + 1,
          occurredAt,
        }),
      );
    };
    const work = () => {
      for (let i = 0; i < 3; i++) emit('order.created');
    };
    const handOver = (emissions) => {
      // All of them have one name.
      const takers = routes.get(emissions[0].name);
      for (const { pending } of takers) if (pending + emissions.length > CAPACITY) throw new Error('A queue is full.');
      for (const consumer of takers) consumer.pending += emissions.length;
      arrived.push(...emissions);
      if (isCalled) return;
      isCalled = true;
      setImmediate(deliver);
    };

    const contextOf = (unit) => {
      storage.enterWith(unit);
      return new AsyncResource('handler');
    };
    const shared = (consumer, unit, context) => consumer.method(unit.cause.payload, unit.cause, context);
    const alone = (consumer, unit, context) => {
      storage.enterWith(unit);
      return consumer.method(unit.cause.payload, unit.cause, context);
    };
    const over = (consumer) => {
      consumer.pending--;
      consumer.underWay--;
      if (consumer.queue.length > 0) begin(consumer, consumer.queue.shift());
      if (settled !== undefined && consumers.every(({ pending }) => pending === 0)) settled();
    };
    const failed = (consumer, { cause }, { attempt }, error) => {
      if (failures.hasSubscribers) failures.publish({ consumer: consumer.name, emission: cause.name, error });
      if (attempt < 3) setTimeout(handle, 100 * attempt, consumer, unitOf(cause), attempt + 1);
      else over(consumer);
    };
    const succeeded = (consumer, unit, context, result) => {
      if (unit.buffer !== undefined && result !== IGNORED && !context.isAborted) handOver(unit.buffer);
      if (successes.hasSubscribers) successes.publish({ consumer: consumer.name, emission: unit.cause.name });
      over(consumer);
    };
    const leave = ({ running }, unit) => {
      const last = running.pop();
      if (last !== unit) running[(last.at = unit.at)] = last;
    };
    const handle = (consumer, unit, attempt) => {
      const context = new Context(attempt, consumer);
      let result;
      try {
        if (consumer.isPrompt) {
          unit.scope ??= outside.runInAsyncScope(contextOf, undefined, unit);
          result = unit.scope.runInAsyncScope(shared, undefined, consumer, unit, context);
        } else result = outside.runInAsyncScope(alone, undefined, consumer, unit, context);
      } catch (error) {
        return failed(consumer, unit, context, error);
      }
      consumer.isPrompt = typeof result?.then !== 'function' && consumer.isPrompt !== false;
      if (typeof result?.then !== 'function') return succeeded(consumer, unit, context, result);
      unit.at = consumer.running.push(unit) - 1;
      result.then(
        (value) => {
          leave(consumer, unit);
          succeeded(consumer, unit, context, value);
        },
        (error) => {
          leave(consumer, unit);
          failed(consumer, unit, context, error);
        },
      );
    };
    const unitOf = (cause) => ({ cause, buffer: undefined, scope: undefined, at: -1 });
    const begin = (consumer, emission, unit = unitOf(emission)) => {
      consumer.underWay++;
      handle(consumer, unit, 1);
    };
    const goOn = () => process.nextTick(deliver);
    const deliver = () => {
      if (next === round.length) {
        round = arrived;
        next = 0;
        arrived = [];
      }
      for (let given = 1; next < round.length; given++) {
        const emission = round[next++];
        let unit;
        for (const consumer of routes.get(emission.name)) {
          if (consumer.queue.length > 0 || consumer.underWay === AT_ONCE) consumer.queue.push(emission);
          else begin(consumer, emission, consumer.isPrompt ? (unit ??= unitOf(emission)) : undefined);
        }
        if (given === AT_ONCE && isAsync) return void Promise.resolve().then(goOn);
      }
      isCalled = arrived.length > 0;
      if (isCalled) setImmediate(deliver);
    };
    const step = () => {
      const unit = { buffer: [], cause: undefined };
      storage.run(unit, work);
      handOver(unit.buffer);
      return Promise.resolve();
    };
    const finish = async () => {
      await new Promise((resolve) => {
        settled = resolve;
        setImmediate(() => consumers.every(({ pending }) => pending === 0) && resolve());
      });
      settled = undefined;
    };
    const { figure, emitted } = await time(step, 3, finish);
    check(instance, count, emitted);
    return figure;
  };
}

const CAPACITY = 100_000;
const AT_ONCE = 16;
const IGNORED = Symbol('ignored');
const successes = channel('floor:succeeded');
const failures = channel('floor:failed');

class Consumer {
  queue = [];
  running = [];
  underWay = 0;
  pending = 0;
  isPrompt = undefined;

  constructor(name, method) {
    this.name = name;
    this.method = method;
  }
}

class Context {
  isAborted = false;
  #controller;

  constructor(attempt, consumer) {
    this.attempt = attempt;
    this.consumer = consumer;
  }

  get handlerId() {
    return this.consumer.name;
  }

  get signal() {
    return (this.#controller ??= new AbortController()).signal;
  }
}

/** A frozen copy by somebody who knows what is in it. */
function copy(order) {
  const { freeze } = Object;
  const lines = freeze(order.lines.map((line) => freeze({ ...line })));
  return freeze({ ...order, customer: freeze({ ...order.customer }), lines });
}
