import { describe, expect, it } from '@jest/globals';
import { concat, defer, NEVER, of, type Observable } from 'rxjs';
import { BufferContext } from '../../lib/buffer/buffer.context.js';
import { endingWith } from '../../lib/buffer/within.js';

function ending(result: Observable<unknown>, commit: () => void | Promise<void> = () => {}) {
  const buffers = new BufferContext(commit, 10);
  return endingWith(buffers, { handle: () => result }, () => buffers.begin({ buffered: true }));
}

describe('a handler whose unit of work ends with it', () => {
  it('gives on what a stream says without waiting for what it says next', async () => {
    const said = Promise.withResolvers<unknown>();
    const subscription = ending(concat(of('first'), NEVER)).subscribe(said.resolve);
    expect(await said.promise).toBe('first');
    subscription.unsubscribe();
  });

  it('gives on a stream in its order, each value once', async () => {
    const values: unknown[] = [];
    const later = defer(
      () => new Promise((resolve) => setImmediate(() => setImmediate(resolve, 3))),
    );
    await ending(concat(of(1, 2), later, of(4))).forEach((value) => values.push(value));
    expect(values).toEqual([1, 2, 3, 4]);
  });
});
