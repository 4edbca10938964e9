// What the promises cost by themselves, written by hand for one question, so that it is known how much is left to gain.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
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
      .map((name) => ({ name, method: instance[name].bind(instance) }));
    const storage = new AsyncLocalStorage();
    const outside = scopeOf('outside');
    const order = payload(1);
    const nextId = ids();
    const committed = [];
    const emit = () => {
      const id = nextId();
      const name = 'order.created';
      const occurredAt = performance.now();
      storage.getStore().buffer.push(
        Object.freeze({ id, name, payload: copies ? copy(order) : order, metadata: undefined, correlationId: id, depth: 0, occurredAt }),
      );
    };
    const enter = (unit) => {
      storage.enterWith(unit);
      work();
    };
    const work = () => {
      for (let i = 0; i < 3; i++) emit();
    };
    const pending = [];
    let failed = 0;
    const contextOf = (unit) => {
      storage.enterWith(unit);
      return scopeOf('handler');
    };
    const call = ({ name, method }, emission) => method(emission.payload, emission, { attempt: 1, handlerId: name });
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
      scopeOf('unit').runInAsyncScope(enter, undefined, unit);
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
 * it, and is retried when it fails; who runs is known, and is given up when the time is over; somebody may listen to what becomes of
 * calls, or wait until all is done. Handlers that return at once share an asynchronous context; what a handler emits counts when it
 * succeeds, and what it emits afterwards is refused. A round of arrivals ends after a millisecond. Only what the question asks for is
 * ever called for here: the rest is there because looking whether it is needed has to be paid for. No keys, no patterns, no options,
 * no names for the steps a call takes.
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
    const outside = scopeOf('outside');
    const order = payload(1);
    const nextId = ids();
    let arrived = [];
    let round = [];
    let next = 0;
    let isCalled = false;
    let began = 0;
    let settled;

    const emit = (name) => {
      const unit = storage.getStore();
      if (unit.isOver) throw new Error('The unit of work has ended.');
      const { cause } = unit;
      const buffer = (unit.buffer ??= []);
      if (buffer.length >= CAPACITY) throw new Error('The buffer is full.');
      const occurredAt = performance.now();
      const id = nextId();
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
    const enter = (unit) => {
      storage.enterWith(unit);
      work();
    };
    const work = () => {
      for (let i = 0; i < 3; i++) emit('order.created');
    };
    const handOver = (emissions) => {
      // All of them have one name.
      const takers = routes.get(emissions[0].name) ?? [];
      for (const { pending } of takers) if (pending + emissions.length > CAPACITY) throw new Error('A queue is full.');
      for (const consumer of takers) consumer.pending += emissions.length;
      arrived.push(...emissions);
      if (isCalled) return;
      isCalled = true;
      setImmediate(serve);
    };

    const contextOf = (unit) => {
      storage.enterWith(unit);
      return scopeOf('handler');
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
    const failed = (consumer, unit, { attempt }, error) => {
      const { cause } = unit;
      unit.isOver = true;
      if (failures.hasSubscribers) failures.publish({ consumer: consumer.name, emission: cause.name, error });
      if (attempt < 3) setTimeout(handle, 100 * attempt, consumer, unitOf(cause), attempt + 1);
      else over(consumer);
    };
    const succeeded = (consumer, unit, context, result) => {
      unit.isOver = true;
      try {
        if (unit.buffer !== undefined && result !== IGNORED) handOver(unit.buffer);
      } catch (error) {
        return failed(consumer, unit, context, error);
      }
      if (successes.hasSubscribers) successes.publish({ consumer: consumer.name, emission: unit.cause.name });
      over(consumer);
    };
    /** Whether it had not been given up before. */
    const leave = ({ running }, context) => {
      if (context.isAborted) return false;
      const last = running.pop();
      if (last !== context) running[(last.at = context.at)] = last;
      return true;
    };
    /** The count of calls tells afterwards that some are missing. */
    const giveUp = () => {
      for (const { running } of consumers) for (const context of running.splice(0)) context.abort();
      settled?.();
    };
    const handle = (consumer, unit, attempt) => {
      const context = new Context(attempt, consumer);
      unit.buffer = undefined;
      unit.isOver = false;
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
      context.at = consumer.running.push(context) - 1;
      result.then(
        (value) => {
          if (leave(consumer, context)) succeeded(consumer, unit, context, value);
          else unit.isOver = true;
        },
        (error) => {
          if (leave(consumer, context)) failed(consumer, unit, context, error);
          else unit.isOver = true;
        },
      );
    };
    const unitOf = (cause) => ({ cause, buffer: undefined, scope: undefined, isOver: false });
    const begin = (consumer, emission, unit = unitOf(emission)) => {
      consumer.underWay++;
      handle(consumer, unit, 1);
    };
    const isYoung = () => performance.now() - began < A_ROUND_MS;
    const goOn = () => process.nextTick(deliver);
    const serve = () => {
      began = performance.now();
      deliver();
    };
    const deliver = () => {
      if (next === round.length) {
        round = arrived;
        next = 0;
        arrived = [];
      }
      for (let given = 1; next < round.length; given++) {
        const emission = round[next++];
        let unit;
        for (const consumer of routes.get(emission.name) ?? []) {
          if (consumer.queue.length > 0 || consumer.underWay === AT_ONCE) consumer.queue.push(emission);
          else begin(consumer, emission, consumer.isPrompt ? (unit ??= unitOf(emission)) : undefined);
          // One that was prompt and goes on keeps the unit.
          if (!consumer.isPrompt) unit = undefined;
        }
        if (given === AT_ONCE && isAsync && isYoung()) return void Promise.resolve().then(goOn);
        // After 1, 2, 4 … 64, 128, 192 …
        const asks = given < 64 ? (given & (given - 1)) === 0 : (given & 63) === 0;
        if (asks && !isYoung()) break;
      }
      isCalled = next < round.length || arrived.length > 0;
      if (isCalled) setImmediate(serve);
    };
    const step = () => {
      const unit = unitOf(undefined);
      scopeOf('unit').runInAsyncScope(enter, undefined, unit);
      unit.isOver = true;
      handOver(unit.buffer);
      return Promise.resolve();
    };
    const finish = async () => {
      const late = setTimeout(giveUp, 10_000);
      await new Promise((resolve) => {
        settled = resolve;
        setImmediate(() => consumers.every(({ pending }) => pending === 0) && resolve());
      });
      settled = undefined;
      clearTimeout(late);
    };
    const { figure, emitted } = await time(step, 3, finish);
    check(instance, count, emitted);
    return figure;
  };
}

/** Makes ids that share all but their last three digits with those before, as the library's do. */
function ids() {
  let made = 0;
  let stem = '';
  return () => {
    if ((made & 4095) === 0) stem = ['019a9f3e-7c00-7a2b-9d1e-000000', ENDINGS[(made >>> 12) & 4095]].join('');
    return stem + ENDINGS[made++ & 4095];
  };
}

const ENDINGS = Array.from({ length: 4096 }, (_, n) => n.toString(16).padStart(3, '0'));

/** Node's own defaults, which it looks up anew each time when they are not given. */
const AS_USUAL = { triggerAsyncId: undefined, requireManualDestroy: false };
const scopeOf = (type) => new AsyncResource(type, AS_USUAL);

const CAPACITY = 100_000;
const AT_ONCE = 16;
const A_ROUND_MS = 1;
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
  constructor(attempt, consumer) {
    // Assigned, as V8 defines fields in a function of its own.
    this.isAborted = false;
    this.at = -1;
    this.controller = undefined;
    this.attempt = attempt;
    this.consumer = consumer;
  }

  get handlerId() {
    return this.consumer.name;
  }

  get signal() {
    this.controller ??= new AbortController();
    if (this.isAborted) this.controller.abort();
    return this.controller.signal;
  }

  abort() {
    this.isAborted = true;
    this.controller?.abort();
  }
}

/** A frozen copy by somebody who knows what is in it. */
function copy(order) {
  const { freeze } = Object;
  const lines = freeze(order.lines.map((line) => freeze({ ...line })));
  return freeze({ ...order, customer: freeze({ ...order.customer }), lines });
}
