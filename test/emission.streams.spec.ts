import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmissionsModule, PatternError, type Emission } from 'nestjs-emissions';
import {
  asapScheduler,
  bufferCount,
  filter,
  finalize,
  firstValueFrom,
  map,
  observeOn,
  take,
  toArray,
  type Observable,
} from 'rxjs';
import { start, type RunningApp } from './support/app.js';
import { emit, emitAndSettle } from './support/emit.js';
import { captureLogs, silence } from './support/logs.js';
import { listen } from './support/signals.js';
import { rounds, until } from './support/until.js';

let running: RunningApp;
beforeEach(silence);
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

describe('A subscriber of a stream that fails', () => {
  const boom = new Error('boom');
  const fail = (): never => {
    throw boom;
  };
  let uncaught: unknown[] = [];
  const note = (error: unknown): void => void uncaught.push(error);
  beforeEach(() => {
    uncaught = [];
    process.on('uncaughtException', note).on('unhandledRejection', note);
  });
  afterEach(() => {
    process.off('uncaughtException', note).off('unhandledRejection', note);
  });
  type Stream = Observable<Emission>;

  it.each<[string, (stream: Stream) => unknown, number]>([
    ['when it is called', (stream) => stream.subscribe(fail), 2],
    ['as an observer', (stream) => stream.subscribe({ next: fail }), 2],
    [
      'behind operators',
      (stream) =>
        stream
          .pipe(
            map(({ name }) => name),
            filter(Boolean),
          )
          .subscribe(fail),
      2,
    ],
    ['with a promise', (stream) => stream.subscribe((() => Promise.reject(boom)) as () => void), 2],
    ['later', (stream) => stream.pipe(observeOn(asapScheduler)).subscribe(fail), 2],
    ['in an operator', (stream) => stream.pipe(map(fail)).subscribe(), 1],
    [
      'with its own error function',
      (stream) => stream.pipe(map(fail)).subscribe({ error: fail }),
      1,
    ],
    ['when it is done', (stream) => stream.pipe(take(1)).subscribe({ complete: fail }), 1],
  ])('%s harms nobody: it is signalled and logged, others go on', async (_, subscribe, times) => {
    using logs = captureLogs();
    using log = listen('emissions:handler:failed');
    const seen: string[] = [];
    subscribe(running.emissions.stream('*'));
    running.emissions.stream('*').subscribe(({ name }) => seen.push(name));
    await emitAndSettle(running.emissions, 'a', 'b');
    await until(() => log.all.length === times);
    await rounds();

    expect(seen).toEqual(['a', 'b']);
    expect(uncaught).toEqual([]);
    expect(log.all.map(({ message }) => message.error)).toEqual(
      Array.from({ length: times }, () => boom),
    );
    expect(log.all[0]!.message).toMatchObject({
      handler: 'stream#1 of *',
      phase: 'deliver',
      count: 1,
    });
    expect(logs.of('error')).toEqual(
      Array.from({ length: times }, () =>
        expect.stringMatching(/^A subscriber of stream#1 of \* failed/),
      ),
    );
  });

  it('is told about what comes next, and which emission it failed on is said', async () => {
    using log = listen('emissions:handler:failed');
    const seen: string[] = [];
    running.emissions.stream('*').subscribe(({ name }) => {
      seen.push(name);
      if (name === 'a') throw boom;
    });
    await emitAndSettle(running.emissions, 'a', 'b');

    expect(seen).toEqual(['a', 'b']);
    expect(log.all.map(({ message }) => message.emission)).toEqual(['a']);
  });

  it('is not tried again, whatever the handlers are', async () => {
    await using other = await start({
      imports: [EmissionsModule.forRoot({ pipeline: { retry: { attempts: 3, backoffMs: 0 } } })],
    });
    let calls = 0;
    other.emissions.stream('*').subscribe(() => {
      calls++;
      throw boom;
    });
    await emitAndSettle(other.emissions, 'a');

    expect(calls).toBe(1);
  });

  it('does not keep others from completing when the application closes', async () => {
    running.emissions.stream('*').subscribe({ complete: fail });
    running.emissions.stream('*').pipe(finalize(fail)).subscribe();
    let completed = false;
    running.emissions.stream('*').subscribe({ complete: () => (completed = true) });
    await running.close();
    await rounds();

    expect([completed, uncaught]).toEqual([true, []]);
  });

  it('has its errors passed to its own error function', async () => {
    using log = listen('emissions:handler:failed');
    const errors: unknown[] = [];
    running.emissions
      .stream('*')
      .pipe(map(fail))
      .subscribe({ error: (error) => errors.push(error) });
    await emitAndSettle(running.emissions, 'a');

    expect([errors, log.all]).toEqual([[boom], []]);
    await expect(
      Promise.all([
        firstValueFrom(running.emissions.stream('*').pipe(map(fail))),
        emitAndSettle(running.emissions, 'a'),
      ]),
    ).rejects.toBe(boom);
  });
});
