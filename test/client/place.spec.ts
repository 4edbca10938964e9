import { describe, expect, it } from '@jest/globals';
import { inOrder, isBehind } from '../../lib/client/place.js';

describe('a place', () => {
  it.each([
    ['anything', 'e:1', undefined, true],
    ['the next', 'e:10', 'e:9', true],
    ['the same', 'e:9', 'e:9', false],
    ['one before', 'e:8', 'e:9', false],
    ['one of another epoch', 'f:1', 'e:9', true],
    ['one of an epoch with colons', 'e:f:10', 'e:f:9', true],
  ])('is behind another when it is %s', (_, offset, after, expected) => {
    expect(isBehind(offset, after)).toBe(expected);
  });

  it('is sorted by number within an epoch, and left where it came beside another', () => {
    const sort = (...offsets: string[]) =>
      offsets
        .map((offset) => ({ offset }))
        .toSorted(inOrder)
        .map(({ offset }) => offset);
    expect(sort('e:10', 'e:9', 'e:100')).toEqual(['e:9', 'e:10', 'e:100']);
    expect(sort('f:2', 'e:1')).toEqual(['f:2', 'e:1']);
  });
});
