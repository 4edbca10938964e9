import 'reflect-metadata';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import type { BufferContext } from './buffer.context.js';
import { bufferedOptions, type BufferedOptions } from './buffer.options.js';
import { buffersOf, expectBuffers } from './buffered.hosts.js';

const BUFFERED = Symbol('nestjs-emissions:buffered');

type Method = (this: object, ...args: unknown[]) => unknown;
type Descriptor = TypedPropertyDescriptor<(...args: any[]) => any>;

/**
 * Gives every call of a method a buffer: what it emits is committed when it resolves and discarded when it throws. For cron
 * jobs, queue workers, message handlers and plain services; the method returns a promise from then on.
 *
 * Within an active buffer it is a savepoint of that. On a route it gives the request a buffer even when its method is
 * skipped (`GET`), which ends by the response's status, and `shouldCommit` overrides the module's for this route; on a
 * route without interceptor or middleware, it works as on any method.
 *
 * It works on instances that Nest builds, and, from when the application is initialized, on those that a factory (not a
 * request-scoped one) or a value provides. Others, as those made by hand in a unit test, belong to no application: their
 * methods are just called. An instance that several applications provide works for the one whose unit of work calls it.
 *
 * @throws ConfigurationError for an unknown or wrong option
 */
export function Buffered(
  options: BufferedOptions = {},
): (target: object, key: string | symbol, descriptor: Descriptor) => void {
  return (target, key, descriptor) => {
    const resolved = bufferedOptions.resolve(
      options,
      `@Buffered on ${target.constructor.name}.${String(key)}`,
    );
    wrap(target, descriptor, { buffered: true, ...resolved }, (buffers, work, isRoute) => {
      const unit = buffers.current();
      if (!isRoute || unit?.http === undefined) return buffers.runBuffered(work);
      unit.buffer ??= buffers.open();
      if (resolved.shouldCommit !== undefined) unit.http.shouldCommit = resolved.shouldCommit;
      unit.http.watch();
      return work();
    });
  };
}

/**
 * Opts a route, a message handler or a resolver out: it has no buffer, and what it emits goes the way of the option
 * `unbuffered`. A buffer that is active around any other method is left alone, and not used by it.
 */
export function Unbuffered(): (
  target: object,
  key: string | symbol,
  descriptor: Descriptor,
) => void {
  return (target, _key, descriptor) => {
    wrap(target, descriptor, { buffered: false }, (buffers, work, isRoute) => {
      const unit = buffers.current();
      if (unit?.buffer === undefined) return work();
      if (!isRoute || unit.http === undefined) {
        return buffers.enter({ origin: unit.origin, buffer: undefined }, work);
      }
      unit.buffer.terminate();
      unit.buffer = undefined;
      return work();
    });
  };
}

/** What the decorators say about a route; `buffered` is undefined when they say nothing. */
export interface RouteBuffering extends BufferedOptions {
  readonly buffered: boolean | undefined;
}

const SAYS_NOTHING: RouteBuffering = Object.freeze({ buffered: undefined });
const read = new WeakMap<object, RouteBuffering>();

/** Reads what was said about a method; once, as it is asked for with every request. */
export function routeBufferingOf(method: object): RouteBuffering {
  const known = read.get(method);
  if (known !== undefined) return known;
  const said = (Reflect.getMetadata(BUFFERED, method) ?? SAYS_NOTHING) as RouteBuffering;
  read.set(method, said);
  return said;
}

function wrap(
  target: object,
  descriptor: Descriptor,
  metadata: RouteBuffering,
  around: (buffers: BufferContext, work: () => unknown, isRoute: boolean) => unknown,
): void {
  const method = descriptor.value as Method;
  const wrapped: Method = function (...args) {
    const work = (): unknown => method.apply(this, args);
    const buffers = buffersOf(this, method.name);
    // A host made by hand, in a unit test, belongs to no application.
    return buffers === undefined
      ? work()
      : around(buffers, work, Reflect.hasMetadata(PATH_METADATA, wrapped));
  };
  Object.defineProperty(wrapped, 'name', { value: method.name });
  Object.defineProperty(wrapped, 'length', { value: method.length });
  for (const key of Reflect.getMetadataKeys(method)) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), wrapped);
  }
  Reflect.defineMetadata(BUFFERED, metadata, wrapped);
  expectBuffers(target);
  descriptor.value = wrapped;
}
