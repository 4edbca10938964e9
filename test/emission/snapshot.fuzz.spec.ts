import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { EmissionsError } from 'nestjs-emissions';
import { snapshot } from '../../lib/emission/snapshot.js';
import { changeable } from '../support/parts.js';
import { anything, hostile, mutate } from '../support/payloads.js';

describe('A snapshot of anything', () => {
  it('that is data is an equal copy, frozen through and through', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const taken = snapshot(value);
        expect(taken).toEqual(value);
        expect(changeable(taken)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('never shows what happened to the source afterwards', () => {
    fc.assert(
      fc.property(anything, fc.clone(anything, 2), (_, [value, same]) => {
        const taken = snapshot(value);
        mutate(value);
        expect(taken).toEqual(snapshot(same));
      }),
      { numRuns: 500 },
    );
  });

  it('that may be hostile is a frozen copy or an EmissionsError, and nothing else', () => {
    const outcomes = { copied: 0, refused: 0 };
    fc.assert(
      fc.property(hostile, (value) => {
        try {
          expect(changeable(snapshot(value))).toEqual([]);
          outcomes.copied++;
        } catch (error) {
          if (!(error instanceof EmissionsError)) throw error;
          outcomes.refused++;
        }
      }),
      { numRuns: 1_000 },
    );
    expect(Math.min(outcomes.copied, outcomes.refused)).toBeGreaterThan(20);
  });
});
