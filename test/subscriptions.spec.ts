import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ConfigurationError,
  DuplicateHandlerError,
  EmissionType,
  EmissionsModule,
  OnEmission,
  PatternError,
  type Emission,
  type EmissionPattern,
} from 'nestjs-emissions';
import { start, type RunningApp } from './support/app.js';
import { emit, emitAndSettle } from './support/emit.js';
import { silence } from './support/logs.js';
import { listen } from './support/signals.js';
import { rounds, until } from './support/until.js';

let running: RunningApp;
beforeEach(async () => {
  silence();
  running = await start({ imports: [EmissionsModule.forRoot({})], providers: [Found] });
});
afterEach(() => running.close());

@EmissionType('form.one')
class Form {}
@EmissionType('form.other')
class Other {}
class Found {
  @OnEmission('found')
  @OnEmission(Form)
  handle(): void {}
}

/** Remembers the names it is called with. */
function recording() {
  const seen: string[] = [];
  const handler = (_payload: unknown, { name }: Emission): void => void seen.push(name);
  return { seen, handler };
}

describe('A subscription', () => {
  it('that is made before an emission of the same caller sees it', async () => {
    const { seen, handler } = recording();
    await running.emissions.run(() => {
      running.emissions.emit('before');
      running.emissions.subscribe('*', handler);
      running.emissions.emit('after');
    });
    await running.emissions.settled();

    expect(seen).toEqual(['before', 'after']);
  });

  it('sees nothing of what was committed before it was made', async () => {
    const { seen, handler } = recording();
    await emit(running.emissions, 'earlier');
    running.emissions.subscribe('*', handler);
    await emitAndSettle(running.emissions, 'later');

    expect(seen).toEqual(['later']);
  });

  it('ends with unsubscribe: nothing further, though others go on; the second time is harmless', async () => {
    const one = recording();
    const other = recording();
    const subscription = running.emissions.subscribe('x', one.handler);
    running.emissions.subscribe('x', other.handler);
    await emitAndSettle(running.emissions, 'x');
    subscription.unsubscribe();
    subscription.unsubscribe();
    await emitAndSettle(running.emissions, 'x');

    expect(one.seen).toEqual(['x']);
    expect(other.seen).toEqual(['x', 'x']);
  });

  it('drops what is queued when it ends, and signals that; what runs is finished', async () => {
    using log = listen('emissions:emission:dropped', 'emissions:handler:succeeded');
    let finish: () => void = () => {};
    const held = () => new Promise<void>((resolve) => (finish = resolve));
    const subscription = running.emissions.subscribe('held', held, { id: 'held', concurrency: 1 });
    await emit(running.emissions, 'held', 'held', 'held');
    await rounds();
    subscription.unsubscribe();
    finish();
    await running.emissions.settled();

    expect(log.all).toEqual([
      {
        channel: 'emissions:emission:dropped',
        message: { reason: 'removed', emission: 'held', count: 2, consumer: 'held' },
      },
      {
        channel: 'emissions:handler:succeeded',
        message: expect.objectContaining({ handler: 'held' }),
      },
    ]);
  });

  it('takes a name, a glob, a regular expression, a marked class, or several of these', async () => {
    @EmissionType('order.paid')
    class OrderPaid {}
    const { seen, handler } = recording();
    running.emissions.subscribe(['plain', 'a.*', /^b\./, OrderPaid], handler);
    await emitAndSettle(running.emissions, 'plain', 'plainer', 'a.b', 'a.b.c', 'b.x', 'order.paid');

    expect(seen).toEqual(['plain', 'a.b', 'b.x', 'order.paid']);
  });

  it.each([
    ['', /The pattern '' is refused/],
    ['a b', /'a b'/],
    ['a..*', /'a\.\.\*'/],
    [[], /\[\]/],
    [class Plain {}, /Plain.*EmissionType/],
    [7, /7/],
    [undefined, /undefined/],
  ])('is refused with its pattern when that is none: %p', (pattern, message) => {
    const subscribing = () => running.emissions.subscribe(pattern as never, () => {});

    expect(subscribing).toThrow(PatternError);
    expect(subscribing).toThrow(message);
  });

  it('is refused with options that are none, and says what they are', () => {
    expect(() => running.emissions.subscribe('a', () => {}, null as never)).toThrow(
      /The handler subscription#\d+ takes an object, but got null/,
    );
    const known = (): void => {};
    const { id } = running.emissions.subscribe('a', known);
    expect(running.emissions.subscribe('b', known, null as never).id).toBe(id);
  });

  it('is refused without a function, or with an id that is taken', () => {
    expect(() => running.emissions.subscribe('a', 'no function' as never)).toThrow(
      ConfigurationError,
    );
    running.emissions.subscribe('a', () => {}, { id: 'taken' });

    expect(() => running.emissions.subscribe('a', () => {}, { id: 'taken' })).toThrow(
      DuplicateHandlerError,
    );
  });
});

describe('The same function again', () => {
  it('takes the new pattern in place of the old one, is listed once and called once', async () => {
    const { seen, handler } = recording();
    const first = running.emissions.subscribe('old', handler);
    await emitAndSettle(running.emissions, 'old', 'new.one');
    running.emissions.subscribe('new.*', handler);
    running.emissions.subscribe('new.*', handler);
    await emitAndSettle(running.emissions, 'old', 'new.one');

    expect(seen).toEqual(['old', 'new.one']);
    expect(running.emissions.subscribers('new.one')).toEqual([{ id: first.id, pattern: 'new.*' }]);
    expect(running.emissions.subscribers('old')).toEqual([]);
    expect(first.pattern).toBe('new.*');
  });

  it('keeps the old pattern when the new one is refused', async () => {
    const { seen, handler } = recording();
    running.emissions.subscribe('old', handler);
    expect(() => running.emissions.subscribe('a..*', handler)).toThrow(PatternError);
    await emitAndSettle(running.emissions, 'old');

    expect(seen).toEqual(['old']);
  });

  it('is a subscription of its own under another id, with its own options', async () => {
    const { seen, handler } = recording();
    const one = running.emissions.subscribe('x', handler, { id: 'one' });
    running.emissions.subscribe('x', handler, { id: 'two', priority: 3 });
    await emitAndSettle(running.emissions, 'x');
    one.unsubscribe();
    await emitAndSettle(running.emissions, 'x');

    expect(seen).toEqual(['x', 'x', 'x']);
    expect(running.emissions.isSubscribed(handler)).toBe(true);
  });

  it('is refused with other options, which would do nothing', () => {
    const { handler } = recording();
    running.emissions.subscribe('x', handler, { concurrency: 2 });
    running.emissions.subscribe('y', handler);
    running.emissions.subscribe('z', handler, { concurrency: 2 });
    const subscribing = () => running.emissions.subscribe('x', handler, { concurrency: 3 });

    expect(subscribing).toThrow(ConfigurationError);
    expect(subscribing).toThrow(/subscribed already, with other options.*Unsubscribe it first/);
  });

  it('can be subscribed anew when it was unsubscribed, also with other options', async () => {
    const { seen, handler } = recording();
    const old = running.emissions.subscribe('x', handler);
    old.unsubscribe();
    running.emissions.subscribe('x', handler, { concurrency: 3 });
    old.unsubscribe();
    await emitAndSettle(running.emissions, 'x');

    expect(seen).toEqual(['x']);
  });
});

describe('Who is subscribed', () => {
  it('is listed with the patterns, for all names or for one', () => {
    const { handler } = recording();
    running.emissions.subscribe('listed.*', handler, { id: 'Listed' });
    running.emissions.subscribe(/^listed/, () => {}, { id: 'Too' });

    const [found, listed, too] = [
      { id: 'Found.handle', pattern: 'found | form.one' },
      { id: 'Listed', pattern: 'listed.*' },
      { id: 'Too', pattern: '/^listed/' },
    ];
    expect(running.emissions.subscribers()).toEqual([found, listed, too]);
    expect(running.emissions.subscribers('listed.one')).toEqual([listed, too]);
    expect(running.emissions.subscribers('listed')).toEqual([too]);
    expect(running.emissions.subscribers('nobody')).toEqual([]);
  });

  it('is told by the function or the id, and by the pattern when one is given', () => {
    const { handler } = recording();
    const subscription = running.emissions.subscribe('told.*', handler, { id: 'Told' });

    expect(running.emissions.isSubscribed(handler)).toBe(true);
    expect(running.emissions.isSubscribed('Told')).toBe(true);
    expect(running.emissions.isSubscribed(handler, 'told.*')).toBe(true);
    expect(running.emissions.isSubscribed(handler, 'told.one')).toBe(false);
    expect(running.emissions.isSubscribed('Nobody')).toBe(false);
    expect(running.emissions.isSubscribed(() => {})).toBe(false);
    subscription.unsubscribe();
    expect(running.emissions.isSubscribed(handler)).toBe(false);
    expect(running.emissions.isSubscribed('Told')).toBe(false);
  });

  it.each<[string, EmissionPattern, EmissionPattern[], EmissionPattern[]]>([
    [
      'a name',
      'form.one',
      ['form.one', Form, ['form.one', Form]],
      ['form.*', /form\.one/, ['form.one', 'b']],
    ],
    ['a glob', 'form.*', ['form.*', ['form.*']], ['form.one', 'form.**', /form\.*/]],
    ['a regular expression', /^form/i, [/^form/i, /^form/gi, [/^form/i]], [/^form/, '/^form/i']],
    ['a class', Form, [Form, 'form.one', [Form]], ['Form', Other]],
    [
      'an array',
      ['b', Form, /c | d/],
      [[/c | d/, 'form.one', 'b', 'b']],
      ['b', ['b', Form], ['b', Form, /c/], ['b', Form, '/c', 'd/']],
    ],
  ])('is told by %s, however it is written', (_, pattern, same, different) => {
    const { handler } = recording();
    const subscription = running.emissions.subscribe(pattern, handler, { id: 'Form' });
    const isSubscribed = (asked: EmissionPattern) =>
      [handler, 'Form'].map((each) => running.emissions.isSubscribed(each, asked));

    for (const each of same) expect(isSubscribed(each)).toEqual([true, true]);
    for (const each of different) expect(isSubscribed(each)).toEqual([false, false]);
    running.emissions.subscribe('other', handler);
    expect([isSubscribed(pattern), isSubscribed('other')]).toEqual([
      [false, false],
      [true, true],
    ]);
    subscription.unsubscribe();
    expect(isSubscribed('other')).toEqual([false, false]);
  });

  it('is told of handlers that were found, too', () => {
    const found = (pattern: EmissionPattern) =>
      running.emissions.isSubscribed('Found.handle', pattern);
    expect([found([Form, 'found']), found(['found', Form]), found('found')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('is refused with a pattern that is none', () => {
    expect(() => running.emissions.isSubscribed('Form', 'a b')).toThrow(PatternError);
    expect(() => running.emissions.isSubscribed('Form', class {} as never)).toThrow(PatternError);
  });

  it('does not include a pattern that fails to answer', () => {
    running.emissions.subscribe(/^(a+)+$/, () => {}, { id: 'Hostile' });

    const ids = running.emissions.subscribers(`${'a'.repeat(40)}!`).map(({ id }) => id);
    expect(ids).not.toContain('Hostile');
  });

  it('is named after the function, and numbered', async () => {
    function reindex(): void {}
    const named = running.emissions.subscribe('x', reindex);
    const anonymous = running.emissions.subscribe('x', () => {});

    expect(named.id).toMatch(/^reindex#\d+$/);
    expect(anonymous.id).toMatch(/^subscription#\d+$/);
  });
});

describe('A subscriber', () => {
  it('may subscribe and unsubscribe while it is called', async () => {
    const { seen, handler } = recording();
    const subscription = running.emissions.subscribe('self', () => {
      subscription.unsubscribe();
      running.emissions.subscribe('next', handler);
      running.emissions.emit('next');
    });
    await emitAndSettle(running.emissions, 'self');
    await emitAndSettle(running.emissions, 'self');
    await until(() => seen.length > 0);

    expect(seen).toEqual(['next']);
  });
});
