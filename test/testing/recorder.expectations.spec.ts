import { describe, expect, it } from '@jest/globals';
import { EmissionType } from 'nestjs-emissions';
import { ExpectationError } from 'nestjs-emissions/testing';
import { messageOf, recorded } from '../support/recorded.js';

@EmissionType('order.shipped')
class OrderShipped {
  constructor(
    readonly id: string,
    readonly parcels: { kg: number }[],
  ) {}
}

describe('expectEmitted', () => {
  it('matches by a part and gives the emission back', async () => {
    await using app = await recorded('default');
    await app.emit(
      ['order.placed', { id: '1', total: 3 }],
      ['order.placed', { id: '2', total: 4 }],
    );
    const found = app.recorder.expectEmitted('order.placed', {
      payload: { id: expect.stringMatching(/^2$/) },
      depth: 0,
    });
    expect(found).toBe(app.recorder.all()[1]);
  });

  it('consumes one, so that two equal emissions need two', async () => {
    await using app = await recorded('default');
    await app.emit('a', 'a');
    app.recorder.expectEmitted('a');
    app.recorder.expectEmitted('a');
    expect(() => app.recorder.expectEmitted('a')).toThrow(
      /everything that was is asserted already\.\nEach of that name \(2\) is asserted already/,
    );
  });

  it('says that what is expected may be asserted already', async () => {
    await using app = await recorded('default');
    expect(() => app.recorder.expectEmitted('a')).toThrow(/but nothing was\.$/);
    await app.emit(['a', 1], ['a', 2]);
    const one = { payload: 1 };
    app.recorder.expectEmitted('a', one);
    expect(() => app.recorder.expectEmitted('a', one)).toThrow(
      /these were:\n {2}a 2\nOf that name, what is not listed \(1\) is asserted already; every assertion takes one\./,
    );
  });

  it('gives every match to a function, and consumes them all', async () => {
    await using app = await recorded('strict');
    await app.emit(['a', 1], ['b', 2], ['a', 3]);
    const seen: unknown[] = [];
    const first = app.recorder.expectEmitted('a', ({ payload }) => seen.push(payload));
    expect(seen).toEqual([1, 3]);
    expect(first.payload).toBe(1);
    expect(app.recorder.unasserted().map(({ name }) => name)).toEqual(['b']);
  });

  it('fails with a function that throws or returns false, and where there is nothing to give it', async () => {
    await using app = await recorded('default');
    await app.emit(['a', 1], ['a', 2]);
    const check = () => app.recorder.expectEmitted('a', ({ payload }) => expect(payload).toBe(1));
    expect(check).toThrow(/Expected: 1/);
    await app.emit(['a', 3]);
    expect(() => app.recorder.expectEmitted('a', () => false)).toThrow(/The check of 'a' refuses/);
    expect(() => app.recorder.expectEmitted('b', () => true)).toThrow(/'b' with a check to be/);
  });

  it('shows what came closest as a difference, and what was emitted', async () => {
    await using app = await recorded('default');
    const parcels = [{ kg: 1 }, { kg: 2 }];
    await app.emissions.run(() => {
      app.emissions.emit('other', { id: '1' });
      app.emissions.emit(new OrderShipped('9', []), { user: 'ada' });
      app.emissions.emit(new OrderShipped('1', parcels), { user: 'ada' });
    });
    const message = messageOf(() =>
      app.recorder.expectEmitted(OrderShipped, {
        payload: { id: expect.any(String), parcels: [{ kg: 1 }, { kg: 3 }] },
        metadata: { user: 'ada' },
      }),
    );
    expect(message).toContain("  other { id: '1' }\n  order.shipped OrderShipped");
    expect(message).toContain('The nearest of that name differs:\n+ emitted - expected\n');
    expect(message).toContain('Expected OrderShipped with { payload: { id: Any<String>, parcels:');
    expect(message).toMatch(/\n\+ +kg: 2\n- +kg: 3\n/);
    expect(message).not.toMatch(/[+-] +user/);
  });

  it('shows a field that is missing, and another kind of value', async () => {
    await using app = await recorded('default');
    await app.emit(['a', { list: 3 }]);
    const message = messageOf(() =>
      app.recorder.expectEmitted('a', { payload: { list: [1], id: 'x' } }),
    );
    expect(message).toMatch(/\n\+ +list: 3\n/);
    expect(message).toMatch(/\n- +id: 'x',?\n/);
  });
});

describe('expectEmittedInOrder', () => {
  it('finds emissions one behind another, others between them, and consumes them', async () => {
    await using app = await recorded('strict');
    await app.emit('a', 'b', ['c', { id: 1 }], 'd');
    const found = app.recorder.expectEmittedInOrder(['a', ['c', { payload: { id: 1 } }], 'd']);
    expect(found.map(({ name }) => name)).toEqual(['a', 'c', 'd']);
    expect(app.recorder.unasserted().map(({ name }) => name)).toEqual(['b']);
  });

  it('fails where one came too early, and consumes nothing', async () => {
    await using app = await recorded('strict');
    await app.emit('b', 'a');
    expect(() => app.recorder.expectEmittedInOrder(['a', 'b'])).toThrow(
      /^After 'a': Expected 'b' to be emitted/,
    );
    expect(app.recorder.unasserted()).toHaveLength(2);
  });

  it('wants one emission for each', async () => {
    await using app = await recorded('default');
    await app.emit('a');
    expect(() => app.recorder.expectEmittedInOrder(['a', 'a'])).toThrow(ExpectationError);
    app.recorder.expectEmittedInOrder(['a']);
  });
});

describe('expectNotEmitted and has', () => {
  it('tell whether something was emitted, asserted or not, and consume nothing', async () => {
    await using app = await recorded('strict');
    await app.emit(['a', { id: 1 }]);
    expect(app.recorder.has('a', { payload: { id: 1 } })).toBe(true);
    expect(app.recorder.has('a', { payload: { id: 2 } })).toBe(false);
    app.recorder.expectNotEmitted('a', { payload: { id: 2 } });
    app.recorder.expectEmitted('a');
    expect(() => app.recorder.expectNotEmitted('a')).toThrow(
      /Expected 'a' not to be emitted, but it was: .*\n {2}emitted at test\/support\/recorded\.ts/s,
    );
    app.recorder.reset();
    expect(app.recorder.has('a')).toBe(false);
  });
});

describe('next', () => {
  it('gives what waits one each, in the order they asked', async () => {
    await using app = await recorded('strict');
    const first = app.recorder.next('a');
    const second = app.recorder.next('a');
    await app.emit(['a', 1], ['b', 2], ['a', 3]);
    expect((await first).payload).toBe(1);
    expect((await second).payload).toBe(3);
    expect(app.recorder.unasserted().map(({ name }) => name)).toEqual(['b']);
  });

  it('fails with the line of the test that waited', async () => {
    await using app = await recorded('default');
    await app.emit('b');
    const error = await app.recorder.next('a', { timeoutMs: 1 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ExpectationError);
    const { message, stack } = error as Error;
    expect(message).toMatch(/^Waited 1 ms for 'a' to be emitted, but these were:\n {2}b undefined/);
    expect(stack).toMatch(/recorder\.expectations\.spec\.ts/);
  });
});
