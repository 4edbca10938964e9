import type { CallHandler } from '@nestjs/common';
import { Observable } from 'rxjs';
import type { BufferContext } from './buffer.context.js';
import type { UnitOfWork } from './unit-of-work.js';

/** How a unit ends with what an interceptor sees; each may be left to somebody else. */
export interface Ending {
  /** The handler completed, `last` being what it returned; a promise, or a throw, holds up or replaces the result. */
  completed(last: unknown): void | Promise<void>;
  failed(error: unknown): void;
  /** Nobody is interested in the result any more. */
  abandoned(): void;
}

/**
 * Runs a handler within a unit of work that begins when the result is subscribed to. The last value is given on when the
 * unit has ended well, so that nobody sees a result before its emissions are committed.
 */
export function within(
  buffers: BufferContext,
  next: CallHandler,
  begin: () => { unit: UnitOfWork; ending: Ending },
): Observable<unknown> {
  return new Observable((subscriber) => {
    const { unit, ending } = begin();
    let last: { value: unknown } | undefined;
    let over = false;
    const complete = (): void => {
      if (last !== undefined) subscriber.next(last.value);
      subscriber.complete();
    };
    const subscription = buffers.enter(unit, () =>
      next.handle().subscribe({
        next: (value: unknown) => {
          if (last !== undefined) subscriber.next(last.value);
          last = { value };
        },
        error: (error: unknown) => {
          over = true;
          ending.failed(error);
          subscriber.error(error);
        },
        complete: () => {
          over = true;
          try {
            const waiting = ending.completed(last?.value);
            if (waiting === undefined) complete();
            else waiting.then(complete, (error: unknown) => subscriber.error(error));
          } catch (error) {
            subscriber.error(error);
          }
        },
      }),
    );
    return () => {
      subscription.unsubscribe();
      if (!over) ending.abandoned();
    };
  });
}
