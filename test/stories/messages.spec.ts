import { describe, expect, it } from '@jest/globals';
import { Controller, UseInterceptors } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Buffered, Emissions, EmissionsInterceptor, Unbuffered } from 'nestjs-emissions';
import { concatMap, from, lastValueFrom, type Observable } from 'rxjs';
import { holdCommits } from '../support/hold-commits.js';
import { microservice } from '../support/microservice.js';
import { listen } from '../support/signals.js';
import { nextRound, until } from '../support/until.js';

/** Messages that wait for each other: each goes on when as many have come. */
const meeting = { expected: 0, come: 0 };

@Controller()
class Orders {
  constructor(private readonly emissions: Emissions) {}

  @MessagePattern('place')
  async place(@Payload() n: number): Promise<number> {
    this.emissions.emit('order.created', n);
    await nextRound();
    this.emissions.emit('order.paid', n);
    return n;
  }

  @MessagePattern('refuse')
  async refuse(@Payload() n: number): Promise<void> {
    await this.place(n);
    throw new RpcException('sold out');
  }

  @MessagePattern('meet')
  async meet(@Payload() n: number): Promise<void> {
    this.emissions.emit('order.created', n);
    meeting.come++;
    await until(() => meeting.come === meeting.expected);
    this.emissions.emit('order.paid', n);
    if (n < 0) throw new RpcException('sold out');
  }

  /** Gives 1, 2 … `count`; fails at `failAt`. */
  @MessagePattern('steps')
  steps(@Payload() { failAt }: { failAt?: number }): Observable<number> {
    return from([1, 2, 3]).pipe(
      concatMap(async (step) => {
        await nextRound();
        this.emissions.emit('step.done', step);
        if (step === failAt) throw new RpcException('stuck');
        return step;
      }),
    );
  }

  @EventPattern('paid')
  async paid(@Payload() n: number): Promise<void> {
    await this.place(n);
    if (n < 0) throw new RpcException('sold out');
  }

  @MessagePattern('count')
  @Unbuffered()
  async count(): Promise<boolean> {
    await nextRound();
    return this.emissions.emit('order.counted') !== undefined;
  }

  @Buffered()
  @MessagePattern('own')
  async own(@Payload() n: number): Promise<void> {
    await this.place(n);
    if (n < 0) throw new RpcException('sold out');
  }

  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }
}

@Controller()
@UseInterceptors(EmissionsInterceptor)
class Intercepted extends Orders {}

describe.each([
  ['on the controller', Intercepted, 'manual'],
  ['everywhere', Orders, 'global'],
] as const)('a message over TCP, with the interceptor %s', (_, controller, interceptor) => {
  const open = () => microservice({ controllers: [controller] }, { interceptor });

  it('that succeeds is answered when its emissions are committed', async () => {
    await using at = await open();
    const held = holdCommits(at.emissions);
    let answer: unknown = 'none';
    const asked = at.ask('place', 7).then((value) => (answer = value));
    await held.reached;
    // On the same connection: an answer that was sent before this one has arrived.
    expect(await at.ask('ping')).toBe('pong');
    expect(answer).toBe('none');
    held.pass();
    expect(await asked).toBe(7);
    expect(await at.delivered()).toEqual([
      ['order.created', 7],
      ['order.paid', 7],
    ]);
  });

  it('that throws delivers nothing', async () => {
    await using at = await open();
    using log = listen('emissions:buffer:terminated');
    await expect(at.ask('refuse', 7)).rejects.toMatchObject({ message: 'sold out' });
    expect(log.all.map(({ message }) => message)).toEqual([{ count: 2, savepoint: false }]);
    expect(await at.delivered()).toEqual([]);
  });

  it('is answered with the error of a commit that fails', async () => {
    await using at = await open();
    const refuse = (): never => {
      throw new RpcException('not now');
    };
    at.emissions.subscribe('order.paid', refuse, { critical: true });
    await expect(at.ask('place', 7)).rejects.toMatchObject({ message: 'not now' });
    expect(await at.delivered()).toEqual([]);
  });

  it('commits the result of an Observable when it completes, before its last value', async () => {
    await using at = await open();
    const held = holdCommits(at.emissions);
    const seen: number[] = [];
    const complete = new Promise<void>((resolve, reject) =>
      at.client
        .send<number>('steps', {})
        .subscribe({ next: (n) => seen.push(n), error: reject, complete: resolve }),
    );
    await held.reached;
    expect(await at.ask('ping')).toBe('pong');
    expect(seen).toEqual([1, 2]);
    held.pass();
    await complete;
    expect(seen).toEqual([1, 2, 3]);
    expect(await at.delivered()).toEqual([1, 2, 3].map((n) => ['step.done', n]));
    expect(at.sink.sizes).toEqual([3]);
  });

  it('delivers nothing of an Observable that fails', async () => {
    await using at = await open();
    await expect(at.ask('steps', { failAt: 3 })).rejects.toMatchObject({ message: 'stuck' });
    expect(await at.delivered()).toEqual([]);
  });

  it('has a buffer of its own beside others', async () => {
    await using at = await open();
    Object.assign(meeting, { expected: 3, come: 0 });
    const asked = await Promise.allSettled([1, 2, -3].map((n) => at.ask('meet', n)));
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    const delivered = await at.delivered();
    const emitted = [1, 2].map((n) => [
      ['order.created', n],
      ['order.paid', n],
    ]);
    expect([emitted.flat(), emitted.toReversed().flat()]).toContainEqual(delivered);
    const ids = at.sink.emissions.map(({ correlationId }) => correlationId);
    expect(ids).toEqual([0, 0, 2, 2].map((first) => at.sink.emissions[first]!.id));
  });

  it('that is an event, which nobody waits for, commits or discards all the same', async () => {
    await using at = await open();
    using log = listen('emissions:buffer:committed', 'emissions:buffer:terminated');
    for (const n of [-1, 2]) await lastValueFrom(at.client.emit('paid', n), { defaultValue: 0 });
    await until(() => log.all.length === 2);
    expect(await at.delivered()).toEqual([
      ['order.created', 2],
      ['order.paid', 2],
    ]);
  });

  it('has no buffer when its handler is marked @Unbuffered()', async () => {
    await using at = await open();
    using log = listen('emissions:buffer:started', 'emissions:emission:dropped');
    expect(await at.ask('count')).toBe(false);
    expect(log.all).toEqual([
      {
        channel: 'emissions:emission:dropped',
        message: { reason: 'unbuffered', emission: 'order.counted', count: 1 },
      },
    ]);
    expect(await at.delivered()).toEqual([]);
  });

  it('delivers once what a handler marked @Buffered() emits', async () => {
    await using at = await open();
    using log = listen('emissions:buffer:started');
    await at.ask('own', 1);
    await expect(at.ask('own', -1)).rejects.toMatchObject({ message: 'sold out' });
    expect(log.all).toHaveLength(2);
    expect(await at.delivered()).toEqual([
      ['order.created', 1],
      ['order.paid', 1],
    ]);
  });
});
