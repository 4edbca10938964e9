import { describe, expect, it } from '@jest/globals';
import {
  CascadeDepthError,
  CrossTenantEmissionError,
  IGNORED,
  type Emission,
} from 'nestjs-emissions';
import { emit, emitAndSettle, type Emitted } from '../support/emit.js';
import { HandlerLab } from '../support/handler-lab.js';
import { listen } from '../support/signals.js';
import { rounds } from '../support/until.js';

const lab = new HandlerLab({ maxDepth: 4, tenancy: { key: 'org' } });
const { recorder, on, cascade } = lab;
const named = (name: string): Emission => recorder.emissions.find((each) => each.name === name)!;

describe('What a handler emits', () => {
  it('reaches all adapters and handlers when it succeeds', async () => {
    const seen: string[] = [];
    on('a', () => void cascade('b'));
    on('b', () => void seen.push('b'));
    await emitAndSettle(lab.emissions, 'a');

    expect(recorder.names).toEqual(['a', 'b']);
    expect(seen).toEqual(['b']);
  });

  it.each([
    ['throws', () => failWith('no')],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['returns IGNORED', () => IGNORED],
    ['resolves with IGNORED', () => Promise.resolve(IGNORED)],
  ])('is discarded when it %s', async (_, end) => {
    on('a', () => {
      cascade('b');
      return end();
    });
    await emitAndSettle(lab.emissions, 'a');

    expect(recorder.names).toEqual(['a']);
  });

  it('is committed by the attempt that succeeds, and by no other', async () => {
    let attempts = 0;
    on(
      'a',
      () => {
        cascade('b', ++attempts);
        if (attempts < 3) throw new Error('not yet');
      },
      { retry: { attempts: 3, backoffMs: 0 } },
    );
    await emitAndSettle(lab.emissions, 'a');

    expect(recorder.emissions.slice(1).map(({ payload }) => payload)).toEqual([3]);
  });

  it('has a buffer of its own: what becomes of the emitter afterwards changes nothing, nor the other way round', async () => {
    on('a', async () => {
      cascade('from.handler');
      await rounds();
    });
    await lab.emissions
      .run(async () => {
        cascade('a');
        await lab.emissions.flush();
        cascade('from.emitter');
        await rounds(2);
        throw new Error('fails after the flush');
      })
      .catch(() => {});
    await lab.emissions.settled();

    expect(recorder.names).toEqual(['a', 'from.handler']);
  });

  it('is committed when the handler is done, before it counts as settled', async () => {
    const seen: string[] = [];
    on('a', async () => {
      await rounds();
      cascade('b');
      await rounds();
    });
    on('b', async () => {
      await rounds();
      seen.push('b');
    });
    await emit(lab.emissions, 'a');
    await lab.emissions.settled();

    expect(seen).toEqual(['b']);
  });

  it('may be flushed before the handler is done, and then stays delivered though it fails', async () => {
    on('a', async () => {
      cascade('progress');
      await lab.emissions.flush();
      cascade('done');
      throw new Error('no');
    });
    await emitAndSettle(lab.emissions, 'a');

    expect(recorder.names).toEqual(['a', 'progress']);
  });

  it('in a nested run that fails is discarded, the rest is not', async () => {
    on('a', async () => {
      cascade('b');
      await lab.emissions.run(() => (cascade('c'), failWith('inner'))).catch(() => {});
    });
    await emitAndSettle(lab.emissions, 'a');

    expect(recorder.names).toEqual(['a', 'b']);
  });

  it('carries the correlation that a nested run of the handler says, if it says one', async () => {
    on('a', async () => {
      await lab.emissions.run(() => cascade('own'), { correlationId: 'batch-7' });
      await lab.emissions.run(() => cascade('same'), { source: 'job' });
      cascade('last');
    });
    await emitAndSettle(lab.emissions, 'a');
    const a = named('a');

    expect(named('own')).toMatchObject({ correlationId: 'batch-7', causationId: a.id });
    expect(named('same').correlationId).toBe(a.correlationId);
    expect(named('last').correlationId).toBe(a.correlationId);
  });

  it('carries the correlation, names its cause, and lies one deeper', async () => {
    on('a', () => void cascade('b'));
    on('b', () => void cascade('c'));
    await emitAndSettle(lab.emissions, 'before', 'a');
    const [before, a, b, c] = ['before', 'a', 'b', 'c'].map(named);

    expect([a, b, c].map((each) => each!.correlationId)).toEqual(
      Array.from({ length: 3 }, () => before!.id),
    );
    expect([a, b, c].map((each) => each!.causationId)).toEqual([undefined, a!.id, b!.id]);
    expect([a, b, c].map((each) => each!.depth)).toEqual([0, 1, 2]);
  });

  it('is cut as a loop beyond maxDepth, with a signal and an error that shows the path, and the rest goes on', async () => {
    using log = listen('emissions:cascade:cut', 'emissions:handler:failed');
    on('ping', () => void cascade('pong'));
    on('pong', () => void cascade('ping'));
    await emitAndSettle(lab.emissions, 'ping');
    const path = ['ping', 'pong', 'ping', 'pong', 'ping', 'pong'];

    expect(recorder.names).toEqual(path.slice(0, 5));
    expect(log.of('emissions:cascade:cut')).toEqual([
      { emission: 'pong', count: 1, depth: 5, path },
    ]);
    const [failed] = log.of('emissions:handler:failed');
    expect(failed!.error).toBeInstanceOf(CascadeDepthError);
    expect((failed!.error as CascadeDepthError).path).toEqual(path);
    expect((failed!.error as Error).message).toMatch(
      /deeper than 4 handlers.*ping → pong.*maxDepth/,
    );
    await emitAndSettle(lab.emissions, 'still.alive');
    expect(recorder.names).toContain('still.alive');
  });

  it('leaves what else the handler emitted when the handler can do without the one that was cut', async () => {
    on('loop', () => {
      cascade('counted');
      try {
        cascade('loop');
      } catch {
        cascade('end');
      }
    });
    const depths = async () => {
      await emitAndSettle(lab.emissions, 'loop');
      return recorder.names.filter((name) => name === 'loop').length;
    };

    expect(await depths()).toBe(5);
    expect(recorder.names.filter((name) => name === 'counted')).toHaveLength(4);
  });
});

describe('The tenant of what a handler emits', () => {
  const forTenant = (tenant?: string): Emitted => [
    'a',
    {},
    {},
    tenant === undefined ? {} : { tenant },
  ];

  it('is that of its cause, all the way down', async () => {
    on('a', () => void cascade('b'));
    on('b', () => void cascade('c'));
    await emitAndSettle(lab.emissions, forTenant('one'));

    expect(['a', 'b', 'c'].map((name) => named(name).tenant)).toEqual(['one', 'one', 'one']);
  });

  it.each([
    ['the option tenant', () => cascade('b', {}, { tenant: 'two' })],
    ['the payload', () => cascade('b', { org: 'two' })],
    ['the metadata', () => lab.emissions.emit('b', {}, { org: 'two' })],
    ['crossTenant alone', () => cascade('b', { org: 'two' }, { crossTenant: true })],
  ])('cannot be another by %s: the handler fails, and nothing leaves', async (_, emitting) => {
    using log = listen('emissions:handler:failed');
    on('a', () => void emitting());
    await emitAndSettle(lab.emissions, forTenant('one'));

    expect(recorder.names).toEqual(['a']);
    const { error } = log.all[0]!.message;
    expect(error).toBeInstanceOf(CrossTenantEmissionError);
    expect((error as Error).message).toMatch(
      /'a' of tenant 'one', 'b' .*tenant 'two'.*crossTenant: true/,
    );
  });

  it('is another when the handler says that it means to', async () => {
    on('a', () => void cascade('b', {}, { tenant: 'two', crossTenant: true }));
    on('b', () => void cascade('c'));
    await emitAndSettle(lab.emissions, forTenant('one'));

    expect(['b', 'c'].map((name) => named(name).tenant)).toEqual(['two', 'two']);
  });

  it('is up to the handler when its cause has none', async () => {
    on('a', () => void cascade('b', {}, { tenant: 'two' }));
    await emitAndSettle(lab.emissions, forTenant());

    expect(named('b').tenant).toBe('two');
  });

  it('is guarded in nested runs as well', async () => {
    using log = listen('emissions:handler:failed');
    on('a', () => lab.emissions.run(() => cascade('b', {}, { tenant: 'two' })));
    await emitAndSettle(lab.emissions, forTenant('one'));

    expect(log.all[0]!.message.error).toBeInstanceOf(CrossTenantEmissionError);
    expect(recorder.names).toEqual(['a']);
  });
});

function failWith(message: string): never {
  throw new Error(message);
}
