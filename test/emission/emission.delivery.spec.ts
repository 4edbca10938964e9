import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { EmissionsModule, EmissionType, PayloadError, type Emission } from 'nestjs-emissions';
import { RecordingAdapter } from '../support/adapters.js';
import { start } from '../support/app.js';
import { captureLogs } from '../support/logs.js';
import { hostile } from '../support/payloads.js';

@EmissionType('delivery-spec.placed', { key: ({ id }: Placed) => id })
class Placed {
  constructor(
    readonly id: string,
    readonly lines: string[],
  ) {}
  count(): number {
    return this.lines.length;
  }
}

async function shop() {
  const [first, second] = [new RecordingAdapter(), new RecordingAdapter()];
  const running = await start({
    imports: [
      EmissionsModule.forRoot({
        adapters: [
          { name: 'first', useValue: first },
          { name: 'second', useValue: second },
        ],
      }),
    ],
  });
  return Object.assign(running, { first, second });
}

describe('What is delivered', () => {
  it('is a payload as it was when it was emitted, whatever became of the object', async () => {
    await using app = await shop();
    const payload = {
      lines: ['a'],
      at: new Date(0),
      bytes: Buffer.from('a'),
      map: new Map([['k', [1]]]),
    };
    await app.emissions.run(() => {
      app.emissions.emit('delivery-spec.a', payload);
      payload.lines.push('changed');
      payload.at.setTime(5);
      payload.bytes.fill(0);
      payload.map.get('k')!.push(2);
    });
    await app.emissions.settled();
    expect(app.first.emissions[0]!.payload).toEqual({
      lines: ['a'],
      at: new Date(0),
      bytes: Buffer.from('a'),
      map: new Map([['k', [1]]]),
    });
  });

  it('cannot be changed by one receiver for another', async () => {
    await using app = await shop();
    const refusals: unknown[] = [];
    const meddle = ({ payload }: Emission): void => {
      const { lines, at, bytes } = payload as { lines: string[]; at: Date; bytes: Uint8Array };
      bytes.fill(0);
      for (const change of [() => lines.push('x'), () => at.setTime(5)]) {
        try {
          change();
        } catch (error) {
          refusals.push(error);
        }
      }
    };
    app.emissions.subscribe('delivery-spec.**', (_, emission) => meddle(emission));
    await app.emissions.run(() => {
      const payload = { lines: ['a'], at: new Date(0), bytes: Uint8Array.of(1) };
      app.emissions.emit('delivery-spec.a', payload);
    });
    await app.emissions.settled();
    const [emission] = app.second.emissions;
    expect(refusals).toHaveLength(2);
    expect(emission!.payload).toEqual({ lines: ['a'], at: new Date(0), bytes: Uint8Array.of(1) });
    expect(app.first.emissions[0]).toBe(emission);
  });

  it('is an instance of its class, with its name and key', async () => {
    await using app = await shop();
    await app.emissions.run(() => void app.emissions.emit(new Placed('7', ['a', 'b'])));
    await app.emissions.settled();
    const [{ name, key, payload }] = app.first.emissions as [Emission<Placed>];
    expect([name, key, payload instanceof Placed, payload.count()]).toEqual([
      'delivery-spec.placed',
      '7',
      true,
      2,
    ]);
  });

  it('is everything but what was refused: a payload that cannot be copied harms no other', async () => {
    await using app = await shop();
    await app.emissions.run(() => {
      app.emissions.emit('delivery-spec.before', 1);
      expect(() => app.emissions.emit('delivery-spec.bad', { callback: () => 1 })).toThrow(
        PayloadError,
      );
      app.emissions.emit('delivery-spec.after', 2);
    });
    await app.emissions.settled();
    expect(app.first.names).toEqual(['delivery-spec.before', 'delivery-spec.after']);
  });

  it('goes on being delivered, whatever was tried to be emitted before', async () => {
    await using app = await shop();
    await fc.assert(
      fc.asyncProperty(hostile, async (payload) => {
        await app.emissions.run(() => {
          try {
            app.emissions.emit('delivery-spec.any', payload, { any: payload });
          } catch (error) {
            if (!(error instanceof PayloadError)) throw error;
          }
          app.emissions.emit('delivery-spec.sound', 1);
        });
      }),
      { numRuns: 200 },
    );
    await app.emissions.settled();
    expect(
      app.first.names.filter((name) => name === 'delivery-spec.sound').length,
    ).toBeGreaterThanOrEqual(200);
    expect(app.second.names).toEqual(app.first.names);
  });
});

describe('A subscription whose pattern would take for ever', () => {
  it('holds up no commit: it is logged once, and everyone else is served', async () => {
    await using app = await shop();
    using logs = captureLogs();
    const name = `delivery-spec.${'a'.repeat(200)}`;
    const seen: string[] = [];
    app.emissions.subscribe(
      /^delivery-spec\.(a+)+$/,
      (_, emission) => void seen.push(emission.name),
    );
    app.emissions.subscribe('delivery-spec.*', (_, emission) => void seen.push(emission.name));
    const begin = performance.now();
    for (let i = 0; i < 5; i++) {
      await app.emissions.run(() => void app.emissions.emit(`${name}!`, i));
    }
    await app.emissions.settled();
    expect(performance.now() - begin).toBeLessThan(2_000);
    expect(seen).toEqual(Array.from({ length: 5 }, () => `${name}!`));
    expect(app.first.emissions).toHaveLength(5);
    expect(logs.of('error').filter((message) => message.includes('pattern'))).toHaveLength(1);
  });
});
