import { describe, expect, it } from '@jest/globals';
import { EmissionsModule, type Emission } from 'nestjs-emissions';
import { Tracing, type Tracer } from '../../lib/emission/tracing.js';
import { start } from '../support/app.js';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** A tracer that writes down what it is asked. */
function noting() {
  const noted: string[] = [];
  const around = <T>(what: string, work: () => T): T => {
    noted.push(`${what} begins`);
    const result = work();
    noted.push(`${what} has returned`);
    return result;
  };
  const tracer: Tracer = {
    stamp: () => ({ traceparent: TRACEPARENT, tracestate: 'vendor=1' }),
    commit: ({ length }, work) => around(`commit of ${length}`, work),
    call: ({ kind, consumer, durable, batch, context }, work) =>
      around(`${kind} ${consumer} ${durable} ${batch.length} ${context.attempt}`, work),
  };
  return { noted, tracer };
}

async function application() {
  const got: Emission[] = [];
  const takes = { deliver: (batch: readonly Emission[]) => void got.push(...batch) };
  const app = await start({
    imports: [
      EmissionsModule.forRoot({
        adapters: [
          { name: 'takes', useValue: takes },
          { name: 'odd', useValue: { ...takes, interested: () => false } },
        ],
      }),
    ],
  });
  return { ...app, got, tracing: app.app.get(Tracing) };
}

describe('The tracer of an application', () => {
  it('is called around each commit, and around each call of adapters and handlers', async () => {
    await using app = await application();
    const { noted, tracer } = noting();
    app.tracing.tracer = tracer;
    app.emissions.addAdapter('added', { deliver: () => {} });
    app.emissions.subscribe('*', () => {}, { id: 'handles' });
    await app.emissions.run(() => {
      app.emissions.emit('thing', 1);
      app.emissions.emit('thing', 2);
    });
    await app.emissions.settled();
    const calls = noted.map((line, i) => `${line}, ${noted[i + 1]}`).filter((_, i) => i % 2 === 0);
    const once = (what: string) => `${what} begins, ${what} has returned`;
    expect(calls[0]).toBe(once('commit of 2'));
    // Who is called before whom depends on how long the first call takes.
    expect(calls.slice(1).sort()).toEqual([
      once('adapter added false 2 1'),
      once('adapter takes false 2 1'),
      once('handler handles false 1 1'),
      once('handler handles false 1 1'),
    ]);
  });

  it('stamps emissions, unless the application has said where they come from', async () => {
    await using app = await application();
    app.tracing.tracer = noting().tracer;
    const mine = { traceparent: 'mine' };
    const trace = { traceparent: TRACEPARENT, tracestate: 'vendor=1' };
    await app.emissions.run(
      () => {
        expect(app.emissions.emit('a', 1)?.metadata).toEqual({ by: 'me', ...trace });
        expect(app.emissions.emit('a', 1, mine)?.metadata).toEqual({ by: 'me', ...mine });
        expect(app.emissions.emit('a', 1, { to: 'you' })?.metadata).toEqual({
          ...{ by: 'me', to: 'you' },
          ...trace,
        });
      },
      { metadata: { by: 'me' } },
    );
    await app.emissions.run(() => app.emissions.emit('a', 1), { metadata: mine });
    await app.emissions.settled();
    expect(app.got[3]?.metadata).toEqual(mine);
    expect(app.got.every(({ metadata }) => Object.isFrozen(metadata))).toBe(true);
  });

  it('is that of no other application in the process', async () => {
    await using app = await application();
    await using other = await application();
    const { noted, tracer } = noting();
    app.tracing.tracer = tracer;
    await other.emissions.run(() => other.emissions.emit('thing', 1));
    await other.emissions.settled();
    expect(noted).toEqual([]);
    expect(other.got[0]?.metadata).toEqual({});
  });
});
