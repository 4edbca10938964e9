import { describe, expect, it } from '@jest/globals';
import { RecordingAdapter } from '../support/adapters.js';
import { captureLogs } from '../support/logs.js';
import { Bench, range } from '../support/pipeline.js';

describe('A name that nobody consumes', () => {
  it('is warned about once, with the name', async () => {
    using logs = captureLogs();
    using bench = new Bench();
    for (const name of ['order.creatd', 'order.creatd', 'order.paid', 'order.creatd'])
      await bench.pipeline.offer([bench.emission(name)]);

    expect(logs.entries.map(({ level, message }) => [level, message])).toEqual([
      ['warn', expect.stringContaining("'order.creatd'")],
      ['warn', expect.stringContaining("'order.paid'")],
    ]);
  });

  it('is warned about once also when consumers come and go', async () => {
    using logs = captureLogs();
    using bench = new Bench();
    await bench.pipeline.offer([bench.emission('x')]);
    bench.serve(new RecordingAdapter(), { name: 'audit' });
    await bench.pipeline.offer([bench.emission('x')]);
    await bench.pipeline.remove('adapter', 'audit');
    await bench.pipeline.offer([bench.emission('x')]);

    expect(logs.of('warn')).toHaveLength(1);
  });

  it('is not warned about when somebody takes it and just does not want this one', async () => {
    using logs = captureLogs();
    using bench = new Bench();
    bench.serve(Object.assign(new RecordingAdapter(), { interested: () => false }));
    await bench.commit();

    expect(logs.entries).toEqual([]);
  });

  it('is not warned about when it is taken inside the commit', async () => {
    using logs = captureLogs();
    using bench = new Bench();
    bench.pipeline.join({ accept: (emissions) => emissions }, (name) => name === 'x');
    await bench.pipeline.offer([bench.emission('x'), bench.emission('y')]);

    expect(logs.of('warn')).toEqual([expect.stringContaining("'y'")]);
  });

  it('is remembered within bounds: names without end are warned about no more', async () => {
    using logs = captureLogs();
    using bench = new Bench();
    const routes = range(1, 10_050).map((n) => bench.emission(`name.${n}`));
    await bench.pipeline.offer(routes);

    expect(logs.of('warn')).toHaveLength(10_000);
  });
});

describe('Consumers', () => {
  it('are asked once per name whether they take it, until something changes', async () => {
    using bench = new Bench();
    const asked: string[] = [];
    const takes = (name: string) => {
      asked.push(name);
      return true;
    };
    bench.serveAs(new RecordingAdapter(), { matches: takes });
    for (const name of ['x', 'x', 'y', 'x']) await bench.pipeline.offer([bench.emission(name)]);
    expect(asked).toEqual(['x', 'y']);
    bench.pipeline.refresh();
    await bench.pipeline.offer([bench.emission('x')]);

    expect(asked).toEqual(['x', 'y', 'x']);
  });

  it('get what they take from when they are added until they are removed, whatever was emitted before', async () => {
    using bench = new Bench();
    const offer = () => bench.pipeline.offer([bench.emission('x')]);
    const [first, second] = [new RecordingAdapter(), new RecordingAdapter()];
    bench.serve(first, { name: 'first' });
    for (const _ of range(1, 3)) await offer();
    bench.serve(second, { name: 'second' });
    for (const _ of range(1, 3)) await offer();
    await bench.settled();
    await bench.pipeline.remove('adapter', 'first');
    for (const _ of range(1, 3)) await offer();
    await bench.settled();

    expect([first.emissions.length, second.emissions.length]).toEqual([6, 6]);
  });

  it('are asked anew when there were very many names, so that names without end cost no memory', async () => {
    using bench = new Bench();
    const asked: string[] = [];
    const takes = (name: string) => asked.push(name) > 0;
    bench.serveAs(new RecordingAdapter(), { matches: takes, consumer: { capacity: 20_000 } });
    const offer = (name: string) => bench.pipeline.offer([bench.emission(name)]);
    for (const n of range(1, 10_000)) await offer(`name.${n}`);
    await offer('name.1');
    expect(asked).toHaveLength(10_000);
    await offer('name.10001');
    await offer('name.1');

    expect(asked.slice(10_000)).toEqual(['name.10001', 'name.1']);
  });

  it('stand in the order of priority, then in the order they were added', () => {
    using bench = new Bench();
    for (const [name, priority] of Object.entries({ a: 5, b: 0, c: 9, d: 5, e: 0 }))
      bench.serveAs(new RecordingAdapter(), { name, priority });

    expect(bench.pipeline.consumers.map(({ name }) => name)).toEqual(['b', 'e', 'a', 'd', 'c']);
  });
});
