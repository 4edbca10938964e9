import 'reflect-metadata';
import { Inject } from '@nestjs/common';
import { ConfigurationError } from '../emission/emission.errors.js';
import { BufferContext } from './buffer.context.js';

/** Where an instance that Nest builds finds the buffers of its application. */
const BUFFERS = Symbol('nestjs-emissions:buffers');
/** On the prototypes of classes with decorated methods. */
const HOST = Symbol('nestjs-emissions:buffered-host');

/** The buffers of those that factories and values provide: Nest injects nothing there, and they may be frozen. */
const adopted = new WeakMap<object, readonly BufferContext[]>();

/** Sees to it that instances of a class get the buffers of their application. */
export function expectBuffers(prototype: object): void {
  Inject(BufferContext)(prototype, BUFFERS);
  Reflect.defineMetadata(HOST, true, prototype);
}

/** Gives the buffers of an application to an instance that it provides, when that has decorated methods and lacks them. */
export function adopt(instance: unknown, buffers: BufferContext): boolean {
  if (typeof instance !== 'object' || instance === null) return false;
  if (!Reflect.hasMetadata(HOST, instance) || injectedIn(instance) === buffers) return false;
  const others = adopted.get(instance) ?? [];
  if (!others.includes(buffers)) adopted.set(instance, [...others, buffers]);
  return true;
}

/** The application of those buffers has closed: if there is another that provides the instance, it is all that one's. */
export function release(instance: object, buffers: BufferContext): void {
  const others = adopted.get(instance)?.filter((each) => each !== buffers) ?? [];
  if (others.length > 0 || injectedIn(instance) !== undefined) adopted.set(instance, others);
}

/**
 * The buffers that a call of a decorated method is for: those of the one application that provides the instance; of several,
 * those whose unit of work calls, else those of the one that built it. Nothing for an instance that none provides.
 *
 * @throws ConfigurationError when it cannot be told whose call it is
 */
export function buffersOf(instance: object, method: string): BufferContext | undefined {
  const injected = injectedIn(instance);
  const others = adopted.get(instance);
  if (others === undefined || others.length === 0) return injected;
  const all = injected === undefined ? others : [injected, ...others];
  const active = all.find((buffers) => buffers.current() !== undefined);
  if (active !== undefined) return active;
  if (all.length === 1 || injected !== undefined) return all[0];
  throw new ConfigurationError(
    `${instance.constructor.name}.${method} is marked @Buffered or @Unbuffered, and ${all.length} applications of this process provide its ` +
      `instance, none of which is calling it. Give each an instance of its own, with useFactory in the place of useValue, or call it within ` +
      `emissions.run(() => …).`,
  );
}

function injectedIn(instance: object): BufferContext | undefined {
  return (instance as Record<symbol, BufferContext | undefined> | undefined)?.[BUFFERS];
}
