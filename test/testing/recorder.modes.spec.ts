import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { ConfigurationError, Emissions, IGNORED, OnEmission } from 'nestjs-emissions';
import { ExpectationError, type RecorderMode } from 'nestjs-emissions/testing';
import { messageOf, recorded } from '../support/recorded.js';
import { listen } from '../support/signals.js';

const log: string[] = [];

@Injectable()
class Warehouse {
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('order.placed')
  async reserve({ id }: { id: string }) {
    await Promise.resolve();
    log.push(`reserve ${id}`);
    this.emissions.emit('stock.reserved', { id });
  }

  @OnEmission('stock.reserved')
  confirm({ id }: { id: string }) {
    log.push(`confirm ${id}`);
    if (id === 'broken') throw new Error('the shelf broke');
  }

  @OnEmission('order.placed', { priority: 1, interested: ({ payload }) => payload.id !== 'dull' })
  celebrate({ id }: { id: string }) {
    log.push(`celebrate ${id}`);
    this.emissions.emit('party.planned');
    return IGNORED;
  }

  @OnEmission('order.placed', { once: true, priority: 2 })
  first({ id }: { id: string }) {
    log.push(`first ${id}`);
  }

  @OnEmission('order.checked', { interested: () => asked() })
  check() {
    return undefined;
  }

  @OnEmission('order.stuck', { timeoutMs: 1 })
  stuck() {
    return new Promise(() => {});
  }
}

function asked(): boolean {
  throw new Error('no answer');
}

describe('a recorder without a mode', () => {
  it('is in default mode', async () => {
    await using app = await recorded(undefined);
    expect(app.recorder.mode).toBe('default');
  });
});

describe('in default mode', () => {
  it('emissions are captured and never checked', async () => {
    await using app = await recorded('default');
    await app.emit('a', 'b');
    expect(app.recorder.all().map(({ name }) => name)).toEqual(['a', 'b']);
    expect(app.recorder.unasserted()).toEqual([]);
    expect(() => app.recorder.verify()).not.toThrow();
  });

  it('emissions cannot be asserted as strict ones, and the error says why', async () => {
    await using app = await recorded('default');
    await app.emit('order.placed');
    app.recorder.use('strict');
    const message = messageOf(() => app.recorder.expectEmitted('order.placed'));
    expect(message).toMatch(
      /nothing was.*\n\nBefore strict mode, and not looked at:\n {2}order\.placed/,
    );
    expect(app.recorder.has('order.placed')).toBe(false);
    app.recorder.expectNotEmitted('order.placed');
    expect(app.recorder.named('order.placed')).toHaveLength(1);
  });
});

describe('in strict mode', () => {
  it('a test in which everything was asserted passes', async () => {
    await using app = await recorded('strict');
    await app.emit('a', 'b', 'b');
    app.recorder.expectEmitted('a');
    app.recorder.expectEmitted('b');
    app.recorder.expectEmitted('b');
    expect(() => app.recorder.verify()).not.toThrow();
  });

  it('what was not asserted fails the test, each with its payload and the line that emitted it', async () => {
    await using app = await recorded('strict');
    await app.emit(['a', { id: 1 }], 'b', ['c', { id: 2 }]);
    app.recorder.expectEmitted('b');
    expect(app.recorder.unasserted().map(({ name }) => name)).toEqual(['a', 'c']);
    const message = messageOf(() => app.recorder.verify());
    expect(message).toMatch(
      /^2 emissions were not asserted \(strict mode\):\n {2}a \{ id: 1 \}\n {4}emitted at test\/support\/recorded\.ts:\d+:\d+.*\n/,
    );
    expect(message).toMatch(/\n {2}c \{ id: 2 \}\n/);
    expect(message).not.toMatch(/\n {2}b /);
  });

  it('what was reported once is not reported again', async () => {
    await using app = await recorded('strict');
    await app.emit('a');
    expect(() => app.recorder.verify()).toThrow(ExpectationError);
    expect(() => app.recorder.verify()).not.toThrow();
    expect(app.recorder.unasserted()).toEqual([]);
  });

  it('a disposed recorder has verified', async () => {
    await using app = await recorded('strict');
    await app.emit('a');
    const test = () => {
      using recorder = app.recorder;
      expect(recorder.mode).toBe('strict');
    };
    expect(test).toThrow(/One emission was not asserted/);
  });

  it('what handlers emit has to be asserted as well', async () => {
    await using app = await recorded('strict', { providers: [Warehouse] });
    await app.emit(['order.placed', { id: '1' }]);
    await app.emissions.settled();
    app.recorder.expectEmitted('order.placed');
    const message = messageOf(() => app.recorder.verify());
    expect(message).toMatch(
      /stock\.reserved \{ id: '1' \}\n {4}emitted at test\/testing\/recorder\.modes\.spec\.ts:\d+:\d+ \(Warehouse\.reserve\)/,
    );
  });

  it('what a failed unit of work emitted is not missed', async () => {
    await using app = await recorded('strict');
    const failing = app.emissions.run(() => {
      app.emissions.emit('a');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(() => app.recorder.verify()).not.toThrow();
    expect(app.recorder.all()).toEqual([]);
  });
});

describe('a change of mode', () => {
  it.each(['default', 'inline'] as const)(
    'from strict to %s fails at once for what was not asserted, and not again at the end',
    async (mode) => {
      await using app = await recorded('strict');
      await app.emit('a');
      expect(() => app.recorder.use(mode)).toThrow(/One emission was not asserted/);
      expect(() => app.recorder.verify()).not.toThrow();
      expect(app.recorder.mode).toBe(mode);
    },
  );

  it('from default to strict ignores what came before', async () => {
    await using app = await recorded('default');
    await app.emit('before');
    app.recorder.use('strict');
    await app.emit('after');
    app.recorder.expectEmitted('after');
    expect(() => app.recorder.verify()).not.toThrow();
  });

  it('from strict to strict does not check', async () => {
    await using app = await recorded('strict');
    await app.emit('a');
    expect(() => app.recorder.use('strict')).not.toThrow();
    expect(() => app.recorder.verify()).toThrow(/One emission/);
  });

  it('to one there is not is an error that names those there are, and changes nothing', async () => {
    await using app = await recorded('strict');
    await app.emit('a');
    const change = () => app.recorder.use('loud' as RecorderMode);
    expect(change).toThrow(ConfigurationError);
    expect(change).toThrow(/modes 'default', 'strict', 'inline', but got 'loud'/);
    expect(app.recorder.mode).toBe('strict');
    expect(app.recorder.unasserted()).toHaveLength(1);
  });
});

describe('in inline mode', () => {
  it('a handler that throws is signalled, once, whatever its retries', async () => {
    using signals = listen('emissions:handler:failed');
    await using app = await recorded('inline');
    const fails = (): never => {
      throw new Error('no');
    };
    app.emissions.subscribe('a', fails, { id: 'failing', retry: { attempts: 3, backoffMs: 0 } });
    await expect(app.emit('a')).rejects.toThrow('no');
    expect(signals.all.map(({ message }) => [message.handler, message.emission])).toEqual([
      ['failing', 'a'],
    ]);
  });

  it('handlers run at once, by priority and in order, cascades included, and nothing is captured', async () => {
    await using app = await recorded('inline', { providers: [Warehouse] });
    log.length = 0;
    await app.emit(['order.placed', { id: '1' }], ['order.placed', { id: 'dull' }]);
    expect(log).toEqual([
      ...['reserve 1', 'confirm 1', 'celebrate 1', 'first 1'],
      ...['reserve dull', 'confirm dull'],
    ]);
    expect(app.recorder.all()).toEqual([]);
    await app.emissions.settled();
    expect(log).toHaveLength(6);
  });

  it('what a handler throws surfaces from the commit, also from a cascade, and ends it', async () => {
    await using app = await recorded('inline', { providers: [Warehouse] });
    log.length = 0;
    await expect(app.emit(['order.placed', { id: 'broken' }])).rejects.toThrow('the shelf broke');
    expect(log).toEqual(['reserve broken', 'confirm broken']);
  });

  it('so does what interested throws, and a call that takes too long', async () => {
    await using app = await recorded('inline', { providers: [Warehouse] });
    await expect(app.emit('order.checked')).rejects.toThrow('no answer');
    await expect(app.emit('order.stuck')).rejects.toThrow(/did not settle within 1 ms/);
  });

  it('subscriptions and streams are served inside the commit too', async () => {
    await using app = await recorded('inline');
    const seen: unknown[] = [];
    app.emissions.subscribe('a', (payload) => seen.push(payload));
    app.emissions.stream('*').subscribe(({ name }) => seen.push(name));
    await app.emit(['a', 1], 'b');
    expect(seen).toEqual([1, 'a', 'b']);
  });

  it('an expectation says that nothing is captured', async () => {
    await using app = await recorded('inline');
    await app.emit('a');
    expect(() => app.recorder.expectEmitted('a')).toThrow(
      /inline mode captures nothing: use\('default'\)/,
    );
  });

  it('can be used for a part of a test', async () => {
    await using app = await recorded('strict', { providers: [Warehouse] });
    app.recorder.use('inline');
    await app.emit(['order.placed', { id: '1' }]);
    app.recorder.use('strict');
    await app.emit('order.paid');
    app.recorder.expectEmitted('order.paid');
    expect(() => app.recorder.verify()).not.toThrow();
    expect(app.recorder.all()).toHaveLength(1);
  });

  it('what is emitted while the application starts waits for the handlers', async () => {
    log.length = 0;
    @Injectable()
    class Opening {
      constructor(private readonly emissions: Emissions) {}
      onModuleInit() {
        return this.emissions.run(() => this.emissions.emit('stock.reserved', { id: 'early' }));
      }
    }
    await using app = await recorded('inline', { providers: [Warehouse, Opening] });
    await app.emissions.settled();
    expect(log).toEqual(['confirm early']);
  });
});
