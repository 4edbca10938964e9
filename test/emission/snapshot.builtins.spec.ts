import { inspect, types } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { snapshot } from '../../lib/emission/snapshot.js';
import { changeable } from '../support/parts.js';

describe('A snapshot of a date', () => {
  it('is a Date in every way but that its setters throw', () => {
    const source = new Date(86_400_000);
    const taken = snapshot({ at: source }).at;
    source.setTime(0);
    expect(taken).toEqual(new Date(86_400_000));
    expect(taken).toBeInstanceOf(Date);
    expect(types.isDate(taken)).toBe(true);
    expect(taken.toISOString()).toBe('1970-01-02T00:00:00.000Z');
    expect(structuredClone(taken).getTime()).toBe(86_400_000);
    expect(JSON.stringify(taken)).toBe('"1970-01-02T00:00:00.000Z"');
    expect(new Date(taken).getTime()).toBe(86_400_000);
    expect(inspect(taken)).toBe(inspect(new Date(86_400_000)));
  });

  it('refuses each of its setters, and says to copy it first', () => {
    const taken = snapshot(new Date(5));
    const setters = Object.getOwnPropertyNames(Date.prototype).filter((name) =>
      name.startsWith('set'),
    );
    expect(setters.length).toBeGreaterThan(15);
    for (const setter of setters as 'setTime'[]) {
      expect(() => taken[setter](0)).toThrow('Copy it first: new Date(…)');
    }
    expect(taken.getTime()).toBe(5);
  });

  it('keeps a subclass with its methods and fields, as guarded', () => {
    class Deadline extends Date {
      reason = ['late'];
      days(): number {
        return this.getTime() / 86_400_000;
      }
    }
    const source = new Deadline(86_400_000);
    const taken = snapshot(source);
    source.reason.push('changed');
    expect(taken).toBeInstanceOf(Deadline);
    expect([taken.days(), taken.reason]).toEqual([1, ['late']]);
    expect(() => taken.setTime(0)).toThrow(TypeError);
    expect(changeable(taken)).toEqual([]);
  });

  it('keeps an invalid date', () => {
    expect(snapshot(new Date(Number.NaN)).getTime()).toBeNaN();
  });
});

describe('A snapshot of an error', () => {
  it('keeps class, message, stack, cause, and fields of its own', () => {
    class Declined extends Error {
      override readonly name = 'Declined';
      constructor(
        message: string,
        readonly codes: number[],
        options?: ErrorOptions,
      ) {
        super(message, options);
      }
    }
    const source = new Declined('no', [7], { cause: new TypeError('why', { cause: { n: 1 } }) });
    const taken = snapshot({ error: source }).error;
    source.codes.push(8);
    expect(taken).toBeInstanceOf(Declined);
    expect(types.isNativeError(taken)).toBe(true);
    expect([taken.name, taken.message, taken.stack, taken.codes]).toEqual([
      'Declined',
      'no',
      source.stack,
      [7],
    ]);
    expect(taken.cause).toEqual(new TypeError('why', { cause: { n: 1 } }));
    expect(changeable(taken)).toEqual([]);
  });

  it('keeps a cause, name or message that was assigned afterwards', () => {
    const source = Object.assign(new Error('first'), {
      cause: new Error('why'),
      name: 'Named',
      message: 'second',
    });
    const taken = snapshot(source);
    expect([taken.name, taken.message, taken.cause]).toEqual(['Named', 'second', new Error('why')]);
  });

  it('keeps the errors of an AggregateError', () => {
    const taken = snapshot(new AggregateError([new Error('a'), new Error('b')], 'both'));
    expect(taken).toBeInstanceOf(AggregateError);
    expect(taken.errors.map(({ message }: Error) => message)).toEqual(['a', 'b']);
    expect(changeable(taken)).toEqual([]);
  });

  it('keeps an abort or time-out, which is a DOMException', () => {
    const taken = snapshot({ error: new DOMException('took too long', 'TimeoutError') }).error;
    expect(taken).toBeInstanceOf(DOMException);
    expect([taken.name, taken.message, taken.code]).toEqual(['TimeoutError', 'took too long', 23]);
    expect(String(taken)).toBe('TimeoutError: took too long');
  });

  it('has no stack of its own where the source has none', () => {
    const source = new Error('x');
    delete source.stack;
    expect(Object.hasOwn(snapshot(source), 'stack')).toBe(false);
  });
});

describe('A snapshot of a regular expression', () => {
  it('is equal and frozen, and works', () => {
    const taken = snapshot({ pattern: /^a(b)/i }).pattern;
    expect(taken).toEqual(/^a(b)/i);
    expect(Object.isFrozen(taken)).toBe(true);
    expect([taken.test('ABC'), taken.test('x'), 'abc'.replace(taken, '$1')]).toEqual([
      true,
      false,
      'bc',
    ]);
  });

  it('with a state is handed out: one receiver moves it, another does not see it', () => {
    const taken = snapshot({ words: /\w+/g, sticky: [/a/y] });
    expect('ab cd'.replace(taken.words, 'x')).toBe('x x');
    const mine = taken.words;
    mine.test('ab cd');
    expect([mine.lastIndex, taken.words.lastIndex, taken.words.flags]).toEqual([2, 0, 'g']);
    taken.sticky[0]!.lastIndex = 9;
    expect(taken.sticky[0]).toEqual(/a/y);
  });

  it('keeps a subclass', () => {
    class Rule extends RegExp {
      severity = 'high';
    }
    const taken = snapshot(new Rule('a', 'u'));
    expect(taken).toBeInstanceOf(Rule);
    expect([taken.severity, taken.test('a')]).toEqual(['high', true]);
  });
});

describe('A snapshot of a boxed primitive', () => {
  it('is the primitive', () => {
    const boxes = [Object(1), Object('a'), Object(true), Object(1n)] as unknown[];
    expect(snapshot(boxes)).toStrictEqual([1, 'a', true, 1n]);
  });

  it('does not ask a subclass for its value', () => {
    class Sly extends Number {
      override valueOf(): number {
        throw new Error('asked');
      }
    }
    expect(snapshot({ n: new Sly(3) }).n).toBe(3);
  });
});
