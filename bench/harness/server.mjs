// A server of one kind, in a process of its own: answers POST /orders, and tells its parent how much it delivered.
import 'reflect-metadata';
import { Body, Controller, Injectable, Module, Post, Scope, UseInterceptors } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { CqrsModule, EventBus, EventsHandler } from '@nestjs/cqrs';
import { Emissions, EmissionsInterceptor, EmissionsMiddleware, EmissionsModule } from '../../dist/index.js';
import { decorate, handlersClass, inject } from './applications.mjs';

const config = JSON.parse(process.argv[2]);
const tally = { requests: 0, delivered: 0 };
const token = { 'event-emitter': EventEmitter2, cqrs: EventBus }[config.kind] ?? Emissions;
const usesEmissions = token === Emissions;

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
inject(Orders, token);
Body()(Orders.prototype, 'place', 0);
decorate(Orders, 'place', Post());
if (config.kind.endsWith('interceptor')) {
  UseInterceptors(config.kind === 'interceptor' ? EmissionsInterceptor : IdleInterceptor)(Orders);
}
Controller('orders')(Orders);

const providers = [IdleInterceptor];
const imports = [];
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
