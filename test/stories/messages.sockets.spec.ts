import { describe, expect, it } from '@jest/globals';
import { UseInterceptors, type Type } from '@nestjs/common';
import {
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
  type WsResponse,
} from '@nestjs/websockets';
import {
  Buffered,
  Emissions,
  EmissionsInterceptor,
  EmissionsModule,
  Unbuffered,
} from 'nestjs-emissions';
import { concatMap, from, type Observable } from 'rxjs';
import { RecordingAdapter } from '../support/adapters.js';
import { serve } from '../support/app.js';
import { holdCommits } from '../support/hold-commits.js';
import { listen } from '../support/signals.js';
import { connect } from '../support/sockets.js';
import { nextRound, until } from '../support/until.js';

/** Messages that wait for each other: each goes on when as many have come. */
const meeting = { expected: 0, come: 0 };

@WebSocketGateway()
class Orders {
  constructor(private readonly emissions: Emissions) {}

  @SubscribeMessage('place')
  async place(@MessageBody() n: number): Promise<{ placed: number }> {
    this.emissions.emit('order.created', n);
    await nextRound();
    this.emissions.emit('order.paid', n);
    return { placed: n };
  }

  @SubscribeMessage('refuse')
  async refuse(@MessageBody() n: number): Promise<void> {
    await this.place(n);
    throw new WsException('sold out');
  }

  @SubscribeMessage('meet')
  async meet(@MessageBody() n: number): Promise<{ met: number }> {
    this.emissions.emit('order.created', n);
    meeting.come++;
    await until(() => meeting.come >= meeting.expected);
    this.emissions.emit('order.paid', n);
    if (n < 0) throw new WsException('sold out');
    return { met: n };
  }

  /** Answers with one event for each step. */
  @SubscribeMessage('steps')
  steps(): Observable<WsResponse<number>> {
    return from([1, 2, 3]).pipe(
      concatMap(async (step) => {
        await nextRound();
        this.emissions.emit('step.done', step);
        return { event: 'step', data: step };
      }),
    );
  }

  @SubscribeMessage('count')
  @Unbuffered()
  async count(): Promise<{ taken: boolean }> {
    await nextRound();
    return { taken: this.emissions.emit('order.counted') !== undefined };
  }

  @Buffered()
  @SubscribeMessage('own')
  own(@MessageBody() n: number): Promise<{ placed: number }> {
    return this.place(n);
  }

  @SubscribeMessage('ping')
  ping(): string {
    return 'pong';
  }
}

@WebSocketGateway()
@UseInterceptors(EmissionsInterceptor)
class Intercepted extends Orders {}

async function open(gateway: Type, interceptor: 'manual' | 'global' = 'manual') {
  const sink = new RecordingAdapter();
  const adapters = [{ name: 'sink', useValue: sink }];
  const root = EmissionsModule.forRoot({ adapters, interceptor });
  const app = await serve({ imports: [root], providers: [gateway] });
  const client = await connect(app.url);
  return {
    client,
    emissions: app.emissions,
    sink,
    /** What a handler's exception is answered with. */
    exception: (): Promise<unknown> =>
      new Promise((resolve) => client.socket.once('exception', resolve)),
    delivered: async () => {
      await app.emissions.settled();
      return sink.emissions.map(({ name, payload }) => [name, payload]);
    },
    [Symbol.asyncDispose]: async () => {
      client.socket.close();
      await app.close();
    },
  };
}

const placed = (n: number) => [
  ['order.created', n],
  ['order.paid', n],
];

describe.each([
  ['on the gateway', Intercepted, 'manual'],
  ['everywhere', Orders, 'global'],
] as const)('a message of a socket, with the interceptor %s', (_, gateway, interceptor) => {
  it('is acknowledged when its emissions are committed', async () => {
    await using at = await open(gateway, interceptor);
    const held = holdCommits(at.emissions);
    let answer: unknown = 'none';
    const asked = at.client.ask('place', 7).then((value: unknown) => (answer = value));
    await held.reached;
    // On the same connection: an acknowledgement that was sent before this one has arrived.
    expect(await at.client.ask('ping', 0)).toBe('pong');
    expect(answer).toBe('none');
    held.pass();
    expect(await asked).toEqual({ placed: 7 });
    expect(await at.delivered()).toEqual(placed(7));
  });

  it('that throws delivers nothing', async () => {
    await using at = await open(gateway, interceptor);
    using log = listen('emissions:buffer:terminated');
    const exception = at.exception();
    at.client.socket.emit('refuse', 7);
    expect(await exception).toMatchObject({ status: 'error', message: 'sold out' });
    expect(log.all.map(({ message }) => message)).toEqual([{ count: 2, savepoint: false }]);
    expect(await at.delivered()).toEqual([]);
  });

  it('is answered with the error of a commit that fails', async () => {
    await using at = await open(gateway, interceptor);
    const refuse = (): never => {
      throw new WsException('not now');
    };
    at.emissions.subscribe('order.paid', refuse, { critical: true });
    const exception = at.exception();
    at.client.socket.emit('place', 7);
    expect(await exception).toMatchObject({ status: 'error', message: 'not now' });
    expect(await at.delivered()).toEqual([]);
  });

  it('has a buffer of its own beside others of the same socket', async () => {
    await using at = await open(gateway, interceptor);
    Object.assign(meeting, { expected: 3, come: 0 });
    const exception = at.exception();
    at.client.socket.emit('meet', -3);
    const met = await Promise.all([1, 2].map((n) => at.client.ask('meet', n)));
    expect(met).toEqual([{ met: 1 }, { met: 2 }]);
    expect(await exception).toMatchObject({ message: 'sold out' });
    const delivered = await at.delivered();
    expect([
      [...placed(1), ...placed(2)],
      [...placed(2), ...placed(1)],
    ]).toContainEqual(delivered);
    const { emissions } = at.sink;
    expect(emissions.map(({ correlationId }) => correlationId)).toEqual(
      [0, 0, 2, 2].map((first) => emissions[first]!.id),
    );
  });

  it('that answers with several events commits before the last one', async () => {
    await using at = await open(gateway, interceptor);
    const held = holdCommits(at.emissions);
    const steps: number[] = [];
    const all = new Promise<void>((resolve) =>
      at.client.socket.on('step', (step: number) => {
        if (steps.push(step) === 3) resolve();
      }),
    );
    at.client.socket.emit('steps', 0);
    await held.reached;
    expect(await at.client.ask('ping', 0)).toBe('pong');
    expect(steps).toEqual([1, 2]);
    held.pass();
    await all;
    expect(steps).toEqual([1, 2, 3]);
    expect(await at.delivered()).toEqual([1, 2, 3].map((step) => ['step.done', step]));
    expect(at.sink.sizes).toEqual([3]);
  });

  it('whose client has left while it ran delivers nothing', async () => {
    await using at = await open(gateway, interceptor);
    using log = listen('emissions:buffer:terminated', 'emissions:emission:dropped');
    Object.assign(meeting, { expected: 2, come: 0 });
    at.client.socket.emit('meet', 1);
    await until(() => meeting.come === 1);
    at.client.socket.close();
    await until(() => log.of('emissions:buffer:terminated').length === 1);
    meeting.come++;
    await until(() => log.of('emissions:emission:dropped').length === 1);
    expect(log.of('emissions:emission:dropped')[0]).toMatchObject({ reason: 'buffer-closed' });
    expect(await at.delivered()).toEqual([]);
  });

  it('has no buffer when its handler is marked @Unbuffered()', async () => {
    await using at = await open(gateway, interceptor);
    using log = listen('emissions:buffer:started', 'emissions:emission:dropped');
    expect(await at.client.ask('count', 0)).toEqual({ taken: false });
    expect(log.all.map(({ message }) => message)).toEqual([
      { reason: 'unbuffered', emission: 'order.counted', count: 1 },
    ]);
    expect(await at.delivered()).toEqual([]);
  });
});

describe('a message of a socket, without the interceptor', () => {
  it('has a buffer only when its handler is marked @Buffered()', async () => {
    await using at = await open(Orders);
    await at.client.ask('place', 6);
    expect(await at.client.ask('own', 7)).toEqual({ placed: 7 });
    expect(await at.delivered()).toEqual(placed(7));
  });
});
