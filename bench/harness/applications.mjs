// The applications the contenders run in: real Nest applications, alike but for what emits.
import { NestFactory } from '@nestjs/core';
import { Inject, Injectable, Module } from '@nestjs/common';

/** Applies decorators without a compiler: `@decorator method() {}`. */
export function decorate(type, method, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, method);
  for (const decorator of decorators.reverse()) decorator(type.prototype, method, descriptor);
  Object.defineProperty(type.prototype, method, descriptor);
}

/** What constructors are given. */
export function inject(type, ...tokens) {
  tokens.forEach((token, i) => Inject(token)(type, undefined, i));
  return type;
}

/** A class with as many handler methods as asked for, each counting what it gets. */
export function handlersClass(count, isAsync, decorator) {
  class Handlers {
    calls = 0;
    sum = 0;
  }
  Injectable()(Handlers);
  for (let i = 0; i < count; i++) {
    const method = isAsync
      ? async function (payload) {
          this.calls++;
          this.sum += payload.total;
        }
      : function (payload) {
          this.calls++;
          this.sum += payload.total;
        };
    Object.defineProperty(method, 'name', { value: `on${i}` });
    Object.defineProperty(Handlers.prototype, `on${i}`, { value: method, writable: true, configurable: true });
    decorate(Handlers, `on${i}`, decorator);
  }
  return Handlers;
}

/** A Nest application without a server. */
export async function application(metadata) {
  class Root {}
  Module(metadata)(Root);
  const app = await NestFactory.createApplicationContext(Root, { logger: false, abortOnError: false });
  return app;
}

/** About 300 bytes of JSON, as an order would be. */
export function payload(n) {
  return {
    id: `order-${n}`,
    total: 7,
    currency: 'EUR',
    customer: { id: 'customer-4711', name: 'Ada Lovelace', email: 'ada@example.com' },
    lines: [
      { sku: 'ESP-1', title: 'Espresso beans', quantity: 2, price: 12.5 },
      { sku: 'FLT-9', title: 'Paper filters', quantity: 1, price: 4.2 },
    ],
    note: 'please ring twice',
  };
}
