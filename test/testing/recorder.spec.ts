import { describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Post, UseInterceptors, type OnModuleInit } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Emissions,
  EmissionsInterceptor,
  EmissionsModule,
  EmissionType,
  OnEmission,
} from 'nestjs-emissions';
import { ExpectationError, recordEmissions } from 'nestjs-emissions/testing';
import { captureLogs } from '../support/logs.js';

@EmissionType('order.placed')
class OrderPlaced {
  constructor(
    readonly id: string,
    readonly at: Date,
  ) {}
}

let connected = 0;

@Injectable()
class ConnectingAdapter implements OnModuleInit {
  constructor() {
    connected++;
  }
  onModuleInit(): never {
    throw new Error('it must not connect');
  }
  deliver(): never {
    throw new Error('it must not deliver');
  }
}

@Injectable()
class Confirmation {
  constructor(private readonly emissions: Emissions) {}
  @OnEmission(OrderPlaced)
  confirm({ id }: OrderPlaced) {
    this.emissions.emit('order.confirmed', { id });
  }
}

@Controller()
@UseInterceptors(EmissionsInterceptor)
class Orders {
  constructor(private readonly emissions: Emissions) {}
  @Post('orders')
  place() {
    this.emissions.emit(new OrderPlaced('1', new Date(0)));
  }
  @Post('broken')
  broken() {
    this.emissions.emit('order.broken', {});
    throw new Error('broken');
  }
}

async function boot() {
  const builder = Test.createTestingModule({
    imports: [
      EmissionsModule.forRoot({
        adapters: [
          ConnectingAdapter,
          { name: 'factory', useFactory: () => new ConnectingAdapter() },
        ],
      }),
    ],
    controllers: [Orders],
    providers: [Confirmation],
  });
  const recorder = recordEmissions(builder);
  const app = (await builder.compile()).createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  const post = async (path: string) => fetch(`${await app.getUrl()}/${path}`, { method: 'POST' });
  const emissions = app.get(Emissions);
  return { recorder, post, emissions, [Symbol.asyncDispose]: () => app.close() };
}

describe('the recorder', () => {
  it('stands in for every adapter, so that none is built and nothing connects', async () => {
    connected = 0;
    await using app = await boot();
    expect(app.emissions.describe().adapters).toEqual([]);
    expect(connected).toBe(0);
  });

  it('sees what was committed, and what handlers made of it, but nothing of a failed request', async () => {
    await using app = await boot();
    await app.post('orders');
    await app.post('broken');
    await app.emissions.settled();
    expect(app.recorder.all().map(({ name }) => name)).toEqual(['order.placed', 'order.confirmed']);
    app.recorder.expectNotEmitted('order.broken');
  });

  it('finds an emission by name or class and a part of it, and consumes it', async () => {
    await using app = await boot();
    await app.post('orders');
    const placed = app.recorder.expectEmitted(OrderPlaced, {
      payload: { id: '1', at: new Date(0) },
    });
    expect(placed.payload).toBeInstanceOf(OrderPlaced);
    expect(() => app.recorder.expectEmitted('order.placed')).toThrow(ExpectationError);
    expect(app.recorder.named('order.placed')).toHaveLength(1);
  });

  it('tells what was emitted instead', async () => {
    await using app = await boot();
    await app.post('orders');
    const expectation = () => app.recorder.expectEmitted('order.placed', { payload: { id: '2' } });
    expect(expectation).toThrow(
      /Expected 'order\.placed' with .*id: '2'.*these were:\n {2}order\.placed OrderPlaced/s,
    );
    const refutation = () => app.recorder.expectNotEmitted('order.*', { payload: { id: '1' } });
    expect(refutation).toThrow(/Expected 'order\.\*' .*not to be emitted, but it was/);
  });

  it('waits for an emission, and gives up with an error', async () => {
    await using app = await boot();
    const coming = app.recorder.next('order.confirmed');
    await app.post('orders');
    expect((await coming).payload).toEqual({ id: '1' });
    await expect(app.recorder.next('order.confirmed', { timeoutMs: 1 })).rejects.toThrow(
      /Waited 1 ms for 'order\.confirmed'/,
    );
  });

  it('forgets on reset', async () => {
    await using app = await boot();
    await app.post('orders');
    await app.emissions.settled();
    app.recorder.reset();
    expect(app.recorder.all()).toEqual([]);
    expect(() => app.recorder.expectEmitted('order.placed')).toThrow(/nothing was/);
  });

  it('sees what is emitted in a module that is compiled but never initialized', async () => {
    using logs = captureLogs();
    const builder = Test.createTestingModule({ imports: [EmissionsModule.forRoot({})] });
    const recorder = recordEmissions(builder.setLogger(logs));
    const module = await builder.compile();
    await module.get(Emissions).run(() => module.get(Emissions).emit('early', 1));
    expect(recorder.expectEmitted('early').payload).toBe(1);
    await module.close();
  });

  it('refuses a mode there is not, instead of ignoring it', () => {
    const builder = Test.createTestingModule({ imports: [EmissionsModule.forRoot()] });
    expect(() => recordEmissions(builder, { mode: 'loud' as 'default' })).toThrow(
      /modes 'default', 'strict', 'inline', but got 'loud'/,
    );
  });
});
