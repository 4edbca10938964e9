import type { AddressInfo, Server as NetServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  UseInterceptors,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import {
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
  type ClientProxy,
} from '@nestjs/microservices';
import { MessageBody, SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import { Test } from '@nestjs/testing';
import {
  Buffered,
  Emissions,
  EmissionsInterceptor,
  EmissionsModule,
  onSignal,
  Unbuffered,
} from 'nestjs-emissions';
import { concatMap, lastValueFrom, of, toArray } from 'rxjs';
import { io, type Socket } from 'socket.io-client';
import { Pipeline } from '../../lib/pipeline/pipeline.js';
import { RecordingAdapter } from '../support/adapters.js';
import { Commits } from '../support/lab.js';
import { listen } from '../support/signals.js';
import { rounds, until } from '../support/until.js';

@Controller()
@UseInterceptors(EmissionsInterceptor)
class Messages {
  constructor(private readonly emissions: Emissions) {}

  @MessagePattern('place')
  async place(@Payload() name: string) {
    this.emissions.emit(`${name}.1`);
    await rounds(2);
    this.emissions.emit(`${name}.2`);
    return { placed: name };
  }

  @MessagePattern('fail')
  fail(@Payload() name: string) {
    this.emissions.emit(name);
    throw new RpcException('refused');
  }

  @MessagePattern('stream')
  stream() {
    return of(1, 2, 3).pipe(
      concatMap(async (n) => {
        await Promise.resolve();
        this.emissions.emit(`step.${n}`);
        return n;
      }),
    );
  }

  @EventPattern('happened')
  happened(@Payload() name: string) {
    this.emissions.emit(name);
  }

  @MessagePattern('unbuffered')
  @Unbuffered()
  unbuffered() {
    return this.emissions.emit('a') !== undefined;
  }
}

@Controller()
class Marked {
  constructor(private readonly emissions: Emissions) {}

  @MessagePattern('marked')
  @Buffered()
  marked(@Payload() fails: boolean) {
    this.emissions.emit('a');
    if (fails) throw new RpcException('refused');
    return 'done';
  }
}

@WebSocketGateway({ transports: ['websocket'] })
@UseInterceptors(EmissionsInterceptor)
class Gateway {
  constructor(private readonly emissions: Emissions) {}

  @SubscribeMessage('place')
  async place(@MessageBody() name: string) {
    this.emissions.emit(`${name}.1`);
    await rounds(2);
    this.emissions.emit(`${name}.2`);
    return { placed: name };
  }

  @SubscribeMessage('fail')
  fail(@MessageBody() name: string) {
    this.emissions.emit(name);
    throw new WsException('refused');
  }
}

/** A way to send messages to an application. */
interface Line {
  /** Resolves with the answer, rejects with the error that the handler's was made to. */
  send(pattern: string, data: unknown): Promise<unknown>;
  close(): Promise<void>;
}

const LINES: Record<string, (app: INestApplication) => Promise<Line>> = {
  'RPC over TCP': async (app) => {
    const options = { host: '127.0.0.1', port: 0 };
    const service = app.connectMicroservice({ transport: Transport.TCP, options });
    await app.startAllMicroservices();
    await app.init();
    const { port } = service.unwrap<NetServer>().address() as AddressInfo;
    const client: ClientProxy = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port },
    });
    await client.connect();
    return {
      send: (pattern, data) =>
        pattern === 'happened'
          ? lastValueFrom(client.emit(pattern, data), { defaultValue: undefined })
          : lastValueFrom(client.send<unknown>(pattern, data).pipe(toArray())).then((all) =>
              all.length === 1 ? all[0] : all,
            ),
      close: async () => client.close(),
    };
  },
  'a WebSocket': async (app) => {
    await app.listen(0, '127.0.0.1');
    const socket: Socket = io(await app.getUrl(), { transports: ['websocket'] });
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    return {
      send: (pattern, data) =>
        new Promise((resolve, reject) => {
          socket.on('exception', (error: { message: string; cause: { data: unknown } }) => {
            if (error.cause.data === data) reject(new Error(error.message));
          });
          socket.emit(pattern, data, resolve);
        }),
      close: async () => void socket.close(),
    };
  },
};

describe.each(Object.keys(LINES))('a message over %s', (name) => {
  let app: INestApplication;
  let line: Line;
  let live = 0;
  const sink = new RecordingAdapter();
  const commits = new Commits();
  const stops: (() => void)[] = [];
  const names = async (): Promise<string[]> => {
    await app.get(Emissions).settled();
    return sink.names;
  };

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [
        EmissionsModule.forRoot({
          adapters: [{ name: 'sink', useValue: sink }],
          context: (execution: ExecutionContext) => ({ source: execution.getType() }),
        }),
      ],
      controllers: [Messages, Marked],
      providers: [Gateway],
    }).compile();
    app = module.createNestApplication({ logger: false });
    app.get(Pipeline, { strict: false }).join(commits);
    line = await LINES[name]!(app);
    stops.push(
      onSignal('emissions:buffer:started', () => live++),
      onSignal('emissions:buffer:committed', () => live--),
      onSignal('emissions:buffer:terminated', ({ savepoint }) => void (savepoint || live--)),
    );
  });
  beforeEach(async () => {
    await names();
    sink.batches.length = 0;
  });
  afterAll(async () => {
    stops.forEach((stop) => stop());
    await line.close();
    await app.close();
  });

  it('commits what its handler emitted, stamped by the option context', async () => {
    expect(await line.send('place', 'a')).toEqual({ placed: 'a' });
    expect(await names()).toEqual(['a.1', 'a.2']);
    const source = name.startsWith('RPC') ? 'rpc' : 'ws';
    expect(sink.emissions.map((emission) => emission.source)).toEqual([source, source]);
  });

  it('is answered after the commit', async () => {
    using log = listen('emissions:buffer:committed');
    const held = commits.hold();
    let answered = false;
    const answer = line.send('place', 'a').then(() => (answered = true));
    await until(() => live === 1);
    await rounds(20);
    expect([answered, log.all.length]).toEqual([false, 0]);
    held.pass();
    await answer;
    expect(log.all).toHaveLength(1);
  });

  it('that fails discards', async () => {
    await expect(line.send('fail', 'a')).rejects.toMatchObject({ message: 'refused' });
    expect(await names()).toEqual([]);
  });

  it.each(['at once', 'later'])('whose commit fails %s fails, and discards', async (when) => {
    if (when === 'later') commits.hold().refuse(new Error('no room'));
    else commits.refuse(new Error('no room'));
    await expect(line.send('place', 'a')).rejects.toMatchObject({
      message: expect.stringMatching(/Internal server error|error/i),
    });
    expect(await names()).toEqual([]);
  });

  it('has a buffer of its own among others at the same time', async () => {
    using log = listen('emissions:buffer:committed');
    const all = Array.from({ length: 50 }, (_, n) =>
      line.send(n % 2 === 0 ? 'place' : 'fail', `m${n}`).catch(() => 'failed'),
    );
    const answers = await Promise.all(all);
    expect(answers.filter((answer) => answer !== 'failed')).toHaveLength(25);
    await until(() => live === 0);
    expect(log.all.map(({ message }) => message.count)).toEqual(
      Array.from({ length: 25 }, () => 2),
    );
    expect(await names()).toHaveLength(50);
    expect((await names()).every((each) => Number(/\d+/.exec(each)![0]) % 2 === 0)).toBe(true);
  });

  it('leaves no buffer behind', () => {
    expect(live).toBe(0);
  });

  if (!name.startsWith('RPC')) return;

  it('answered by a stream gives its last value after the commit', async () => {
    expect(await line.send('stream', '')).toEqual([1, 2, 3]);
    expect(await names()).toEqual(['step.1', 'step.2', 'step.3']);
  });

  it('that is an event commits, too', async () => {
    await line.send('happened', 'a');
    await until(() => sink.emissions.length === 1);
    expect(await names()).toEqual(['a']);
  });

  it('may have no buffer (@Unbuffered), or one without the interceptor (@Buffered)', async () => {
    expect(await line.send('unbuffered', '')).toBe(false);
    expect(await line.send('marked', false)).toBe('done');
    await expect(line.send('marked', true)).rejects.toMatchObject({ message: 'refused' });
    expect(await names()).toEqual(['a']);
  });
});
