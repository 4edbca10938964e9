// A server of one kind, in a process of its own: answers POST /orders, and tells its parent how much it delivered.
import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Body, Controller, Injectable, Module, Post, Scope, UseInterceptors } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Observable } from 'rxjs';
import { CqrsModule, EventBus, EventsHandler } from '@nestjs/cqrs';
import { Emissions, EmissionsInterceptor, EmissionsMiddleware, EmissionsModule } from '../../dist/index.js';
import { decorate, handlersClass, inject } from './applications.mjs';

const config = JSON.parse(process.argv[2]);
const tally = { requests: 0, delivered: 0 };

class Adapter {
  deliver(batch) {
    tally.delivered += batch.length;
  }
}

class OrderCreated {
  constructor(order) {
    this.order = order;
  }
}

class IdleInterceptor {
  intercept(_context, next) {
    return next.handle();
  }
}
Injectable(config.kind === 'scoped-interceptor' ? { scope: Scope.REQUEST } : {})(IdleInterceptor);

class IdleMiddleware {
  use(_request, _response, next) {
    next();
  }
}
Injectable()(IdleMiddleware);

/**
 * What the promises cost a request by themselves: an asynchronous context, a buffer, frozen copies, a decision by the status when
 * the response ends, or the connection closes, and batches handed to three adapters behind the response. No bounds, no waiting, no
 * routes, no telemetry.
 */
class Floor {
  storage = new AsyncLocalStorage();
  adapters = [new Adapter(), new Adapter(), new Adapter()];
  committed = [];
  made = 0;

  emit(name, order) {
    const id = `019a9f3e-7c00-7a2b-9d1e-${this.made++}`;
    const payload = Object.freeze({ ...order });
    const occurredAt = performance.now();
    const { buffer } = this.storage.getStore();
    buffer.push(Object.freeze({ id, name, payload, metadata: undefined, correlationId: id, depth: 0, occurredAt }));
  }

  deliver = () => {
    for (const adapter of this.adapters) adapter.deliver(this.committed);
    this.committed = [];
  };

  begin(response) {
    const unit = { buffer: [] };
    const { end } = response;
    response.end = (...args) => {
      if (response.statusCode < 300) {
        if (this.committed.length === 0) setImmediate(this.deliver);
        this.committed.push(...unit.buffer);
      }
      unit.buffer = [];
      return end.apply(response, args);
    };
    response.once('close', () => (unit.buffer = []));
    return unit;
  }
}
Injectable()(Floor);

class FloorMiddleware {
  constructor(floor) {
    this.floor = floor;
  }
  use(_request, response, next) {
    this.floor.storage.run(this.floor.begin(response), next);
  }
}
Injectable()(inject(FloorMiddleware, Floor));

class FloorInterceptor {
  constructor(floor) {
    this.floor = floor;
  }
  intercept(context, next) {
    const sent = context.getArgByIndex(1);
    const unit = this.floor.begin(sent.raw ?? sent);
    return new Observable((subscriber) => this.floor.storage.run(unit, () => next.handle().subscribe(subscriber)));
  }
}
Injectable()(inject(FloorInterceptor, Floor));

class Orders {
  constructor(emitter) {
    this.emitter = emitter;
  }
  place(order) {
    tally.requests++;
    for (let i = 0; i < (config.emissions ?? 0); i++) {
      if (config.kind === 'cqrs') this.emitter.publish(new OrderCreated(order));
      else this.emitter.emit('order.created', order);
    }
    return { placed: order.id };
  }
}
const token =
  { 'event-emitter': EventEmitter2, cqrs: EventBus, 'floor-interceptor': Floor, 'floor-middleware': Floor }[config.kind] ??
  Emissions;
const usesEmissions = token === Emissions;
inject(Orders, token);
Body()(Orders.prototype, 'place', 0);
decorate(Orders, 'place', Post());
const interceptor = { interceptor: EmissionsInterceptor, 'floor-interceptor': FloorInterceptor };
if (config.kind.endsWith('interceptor')) UseInterceptors(interceptor[config.kind] ?? IdleInterceptor)(Orders);
Controller('orders')(Orders);

const providers = [IdleInterceptor];
const imports = [];
if (token === Floor) providers.push(Floor);
if (usesEmissions) {
  imports.push(
    EmissionsModule.forRoot({
      adapters: [1, 2, 3].map((n) => ({ name: `adapter ${n}`, useValue: new Adapter() })),
    }),
  );
}
if (config.kind === 'event-emitter') {
  imports.push(EventEmitterModule.forRoot());
  providers.push(handlersClass(3, false, OnEvent('order.created')));
}
if (config.kind === 'cqrs') {
  imports.push(CqrsModule.forRoot());
  for (let i = 0; i < 3; i++) {
    class Handler {
      handle() {
        tally.delivered++;
      }
    }
    Injectable()(Handler);
    EventsHandler(OrderCreated)(Handler);
    providers.push(Handler);
  }
}

class Root {
  configure(consumer) {
    if (config.kind === 'middleware') consumer.apply(EmissionsMiddleware).forRoutes('{*path}');
    if (config.kind === 'floor-middleware') consumer.apply(FloorMiddleware).forRoutes('{*path}');
    if (config.kind === 'idle-middleware') consumer.apply(IdleMiddleware).forRoutes('{*path}');
  }
}
Module({ imports, providers, controllers: [Orders] })(Root);

const adapter = config.platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
const app = await NestFactory.create(Root, adapter, { logger: false });
await app.listen(0, '127.0.0.1');

process.on('message', async () => {
  if (usesEmissions) await app.get(Emissions).settled();
  else await new Promise(setImmediate);
  if (config.kind === 'event-emitter') tally.delivered = app.get(providers[1]).calls;
  process.send(tally);
});
process.once('SIGINT', () => process.exit(0));
process.send({ port: app.getHttpServer().address().port });
