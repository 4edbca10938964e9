import type { CallHandler } from '@nestjs/common';
import { Observable } from 'rxjs';
import { commit, type BufferContext } from './buffer.context.js';
import { producedWithin } from './production.js';
import type { UnitOfWork } from './unit-of-work.js';

/**
 * Runs a handler within a unit of work, which begins when the result is subscribed to and is ended by somebody else. So do
 * the interceptors inside, and an Observable or a generator that the handler returned. When it fails, `failed` is told before anybody else.
 */
export function within(
  buffers: BufferContext,
  next: CallHandler,
  begin: () => UnitOfWork,
  failed?: () => void,
): Observable<unknown> {
  return new Observable((subscriber) => {
    const unit = begin();
    return buffers.enter(unit, () =>
      next.handle().subscribe({
        next: (result: unknown) => subscriber.next(producedWithin(buffers, unit, result)),
        error: (error: unknown) => {
          failed?.();
          subscriber.error(error);
        },
        complete: () => subscriber.complete(),
      }),
    );
  });
}

/**
 * The same, and ends the unit with the handler: committed when it completes, terminated when it throws or nobody is
 * interested in its result any more. A value that completion follows at once, as with every result that is not a stream, is
 * given on when the commit is done, so that nobody sees a result before its emissions have left.
 */
export function endingWith(
  buffers: BufferContext,
  next: CallHandler,
  begin: () => UnitOfWork,
): Observable<unknown> {
  return new Observable((subscriber) => {
    const unit = begin();
    let last: { value: unknown } | undefined;
    let completed = false;
    const giveOn = (): void => {
      const held = last;
      last = undefined;
      if (held !== undefined) subscriber.next(held.value);
    };
    const complete = (): void => {
      giveOn();
      subscriber.complete();
    };
    const fail = (error: unknown): void => {
      unit.buffer?.terminate();
      subscriber.error(error);
    };
    const subscription = buffers.enter(unit, () =>
      next.handle().subscribe({
        next: (value: unknown) => {
          giveOn();
          const held = (last = { value });
          // A stream goes on: what it has said is not to wait for what it says next.
          setImmediate(() => {
            if (last === held && !completed) giveOn();
          });
        },
        error: fail,
        complete: () => {
          completed = true;
          try {
            const waiting = commit(unit);
            if (waiting === undefined) complete();
            else waiting.then(complete, fail);
          } catch (error) {
            fail(error);
          }
        },
      }),
    );
    return () => {
      subscription.unsubscribe();
      unit.buffer?.terminate();
    };
  });
}
