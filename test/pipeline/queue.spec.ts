import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { heapInUse } from '../support/heap.js';
import { range } from '../support/pipeline.js';
import { nextRound } from '../support/until.js';
import { Queue } from '../../lib/pipeline/queue.js';

describe('A queue', () => {
  it('gives back what was put in, oldest first', () => {
    const queue = new Queue<number>();
    for (const item of [1, 2, 3]) queue.push(item);

    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([1, 2, 3]);
    expect(queue.length).toBe(0);
  });

  it('shows the oldest without taking it, and nothing when it is empty', () => {
    const queue = new Queue<string>();
    expect(queue.peek()).toBeUndefined();
    queue.push('a');
    queue.push('b');

    expect(queue.peek()).toBe('a');
    expect(queue.length).toBe(2);
  });

  it('does the same as an array, whatever is done to it', () => {
    const operation = fc.oneof(
      { weight: 5, arbitrary: fc.record({ push: fc.integer({ min: 1, max: 90 }) }) },
      { weight: 4, arbitrary: fc.record({ shift: fc.integer({ min: 1, max: 40 }) }) },
      { weight: 4, arbitrary: fc.record({ swap: fc.integer({ min: 1, max: 40 }) }) },
      { weight: 1, arbitrary: fc.record({ remove: fc.integer({ min: 1, max: 5 }) }) },
      { weight: 1, arbitrary: fc.constant({ clear: true }) },
    );

    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200, size: 'max' }), (operations) => {
        const queue = new Queue<number>();
        const model: number[] = [];
        let next = 0;
        for (const step of operations) {
          const taken = { queue: [] as number[], model: [] as number[] };
          if ('push' in step) {
            const items = range(next, (next += step.push) - 1);
            for (const item of items) queue.push(item);
            model.push(...items);
          } else if ('shift' in step) {
            taken.model = model.splice(0, step.shift);
            taken.queue = taken.model.map(() => queue.shift());
          } else if ('swap' in step) {
            for (let i = 0; i < step.swap && model.length > 0; i++) {
              model.push(next);
              taken.model.push(model.shift()!);
              taken.queue.push(queue.swap(next++));
            }
          } else if ('remove' in step) {
            const gone = (item: number) => item % step.remove === 0;
            taken.model = model.filter(gone);
            model.splice(0, Infinity, ...model.filter((item) => !gone(item)));
            taken.queue = queue.remove(gone);
          } else {
            queue.clear();
            model.length = 0;
          }
          expect(taken.queue).toEqual(taken.model);
          expect([queue.length, queue.peek()]).toEqual([model.length, model[0]]);
        }
      }),
    );
  });

  it('keeps its order while it grows and is emptied', () => {
    const queue = new Queue<number>();
    const taken: number[] = [];
    for (let i = 0; i < 5_000; i++) {
      queue.push(2 * i);
      queue.push(2 * i + 1);
      taken.push(queue.shift());
    }
    while (queue.length > 0) taken.push(queue.shift());

    expect(taken).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
  });

  it('keeps nothing in memory of what it gave out', async () => {
    const queue = new Queue<object>();
    const refs = range(1, 100).map(() => {
      const item = {};
      queue.push(item);
      return new WeakRef(item);
    });
    for (let left = 90; left > 0; left--) queue.shift();
    await nextRound();
    heapInUse();

    expect(refs.findIndex((ref) => ref.deref() !== undefined)).toBe(90);
    expect(queue.length).toBe(10);
  });
});
