import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Attempt, awaited } from '../../lib/pipeline/attempt.js';
import { Running } from '../../lib/pipeline/running.js';

const attempt = (): Attempt => new Attempt(awaited('x'), 1, undefined, false);

describe('The attempts under way', () => {
  it('are those that have begun and not ended, in the order they began, however many there are', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ begin: fc.integer({ min: 1, max: 150 }) }) },
      {
        weight: 3,
        arbitrary: fc.record({ end: fc.array(fc.nat(), { minLength: 1, maxLength: 150 }) }),
      },
      { weight: 1, arbitrary: fc.constant({ clear: true }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const running = new Running();
        const model: Attempt[] = [];
        for (const each of steps) {
          const ended: boolean[] = [];
          const cleared: [readonly Attempt[], Attempt[]] = [[], []];
          if ('begin' in each) {
            for (let i = 0; i < each.begin; i++) {
              model.push(attempt());
              running.add(model.at(-1)!);
            }
          } else if ('end' in each) {
            for (const n of each.end) {
              const one = model.splice(n % (model.length + 1), 1)[0] ?? attempt();
              running.delete(one);
              ended.push(running.delete(one));
            }
          } else cleared.splice(0, 2, running.clear(), model.splice(0));
          expect(ended).not.toContain(true);
          expect(cleared[0]).toEqual(cleared[1]);
          expect(running.all).toEqual(model);
        }
      }),
      { numRuns: 200 },
    );
  });
});
