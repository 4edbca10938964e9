import type { BufferContext } from './buffer.context.js';
import type { UnitOfWork } from './unit-of-work.js';

/**
 * Lets a result that is produced while it is read, such as that of an `async *handler()`, be produced within the unit of work
 * that it belongs to: the body of a generator runs wherever its next piece is asked for. Other results are given back as they
 * are; streams have a context of their own.
 */
export function producedWithin(buffers: BufferContext, unit: UnitOfWork, result: unknown): unknown {
  if (typeof result !== 'object' || result === null || !(Symbol.asyncIterator in result))
    return result;
  const source = result as AsyncIterable<unknown> & { pipe?: unknown; getReader?: unknown };
  if (source.pipe !== undefined || source.getReader !== undefined || 'then' in source)
    return result;
  return {
    [Symbol.asyncIterator](): AsyncIterator<unknown> {
      const iterator = source[Symbol.asyncIterator]();
      const within =
        (step: ((value?: unknown) => Promise<IteratorResult<unknown>>) | undefined) =>
        (value?: unknown): Promise<IteratorResult<unknown>> =>
          buffers.enter(unit, () => step!.call(iterator, value));
      return {
        next: within(iterator.next as never),
        ...(iterator.return && { return: within(iterator.return) }),
        ...(iterator.throw && { throw: within(iterator.throw) }),
      };
    },
  };
}
