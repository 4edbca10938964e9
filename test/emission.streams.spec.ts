import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmissionsModule, PatternError, type Emission } from 'nestjs-emissions';
import { bufferCount, firstValueFrom, map, take, toArray } from 'rxjs';
import { start, type RunningApp } from './support/app.js';
import { emit, emitAndSettle } from './support/emit.js';
import { rounds } from './support/until.js';

let running: RunningApp;
beforeEach(async () => {
  running = await start({ imports: [EmissionsModule.forRoot({})] });
});
afterEach(() => running.close());

const names = (emissions: Emission[]): string[] => emissions.map(({ name }) => name);

describe('A stream', () => {
  it('tells the committed emissions that its pattern takes, in order', async () => {
    const seen: Emission[] = [];
    running.emissions.stream('order.*').subscribe((emission) => seen.push(emission));
    await emitAndSettle(running.emissions, 'order.created', 'user.created', 'order.paid');
    await running.emissions.run(() => Promise.reject(new Error('no'))).catch(() => {});

    expect(names(seen)).toEqual(['order.created', 'order.paid']);
  });

  it('begins when it is subscribed to, not when it is made', async () => {
    const stream = running.emissions.stream('*');
    await emitAndSettle(running.emissions, 'before');
    const seen: Emission[] = [];
    stream.subscribe((emission) => seen.push(emission));
    await emitAndSettle(running.emissions, 'after');

    expect(names(seen)).toEqual(['after']);
  });

  it('is a consumer of its own for each subscriber, and gone with it', async () => {
    const stream = running.emissions.stream('x.*');
    const [one, two] = [stream.subscribe(), stream.subscribe()];
    expect(running.emissions.describe().handlers).toMatchObject([
      { id: 'stream#1 of x.*', pattern: 'x.*', host: 'stream()' },
      { id: 'stream#2 of x.*', pattern: 'x.*', host: 'stream()' },
    ]);
    one.unsubscribe();
    two.unsubscribe();
    await rounds();

    expect(running.emissions.describe().handlers).toEqual([]);
  });

  it('works with operators, also those that end it', async () => {
    const two = firstValueFrom(
      running.emissions.stream('*').pipe(
        map(({ name }) => name),
        take(2),
        toArray(),
      ),
    );
    const pairs = firstValueFrom(running.emissions.stream('*').pipe(bufferCount(2)));
    await emitAndSettle(running.emissions, 'a', 'b', 'c');

    expect(await two).toEqual(['a', 'b']);
    expect(names(await pairs)).toEqual(['a', 'b']);
    expect(running.emissions.describe().handlers).toEqual([]);
  });

  it('completes when the application closes, after everything was told', async () => {
    const all = firstValueFrom(running.emissions.stream('*').pipe(toArray()));
    await emit(running.emissions, 'a', 'b');
    await running.close();

    expect(names(await all)).toEqual(['a', 'b']);
  });

  it('completes at once when the application has closed', async () => {
    await running.close();

    expect(await firstValueFrom(running.emissions.stream('*').pipe(toArray()))).toEqual([]);
  });

  it('tells outside the async context of whoever emitted', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    running.emissions.stream('*').subscribe(() => seen.push(storage.getStore()));
    await storage.run('request', () => emitAndSettle(running.emissions, 'a'));

    expect(seen).toEqual([undefined]);
  });

  it('is refused with its pattern when that is none', () => {
    expect(() => running.emissions.stream('a b')).toThrow(PatternError);
  });
});
