/**
 * One process of an application, in one of two versions, that does as its parent says and tells it what happens: `RemoteApplication`
 * is the other end.
 */
import { ConsoleLogger, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Emissions,
  EmissionsModule,
  EmissionType,
  OnEmission,
  onSignal,
  type Emission,
  type HandlerContext,
} from 'nestjs-emissions';
import { EmissionsDurableModule, type DurableOptions } from 'nestjs-emissions/durable';

const { OPTIONS, VERSION = 'old' } = process.env;
const tell = (message: object): void => void process.send?.(message);

@EmissionType('order.placed', { key: (order: OrderOnce) => order.id })
class OrderOnce {
  constructor(
    readonly id: string,
    readonly euros: number,
  ) {}
}

@EmissionType('order.placed', {
  version: 2,
  key: (order: OrderNow) => order.id,
  upcast: ({ id, euros }) => ({ id, cents: Number(euros) * 100 }),
})
class OrderNow {
  constructor(
    readonly id: string,
    readonly cents: number,
  ) {}

  get text(): string {
    return `${this.cents} cents`;
  }
}

function ran(handler: string, payload: unknown, { attempt }: HandlerContext): void {
  const text = payload instanceof OrderNow ? payload.text : undefined;
  tell({ kind: 'ran', handler, payload, attempt, text });
}

@Injectable()
class Old {
  @OnEmission(OrderOnce, { durable: true, id: 'invoice' })
  invoice(order: OrderOnce, _: Emission, context: HandlerContext): void {
    ran('invoice', order, context);
  }

  @OnEmission('order.placed', { durable: true, id: 'retired' })
  retired(order: OrderOnce, _: Emission, context: HandlerContext): void {
    ran('retired', order, context);
  }
}

@Injectable()
class New {
  @OnEmission(OrderNow, { durable: true, id: 'invoice', maxAttempts: 2, concurrency: 1 })
  invoice(order: OrderNow, _: Emission, context: HandlerContext): void {
    ran('invoice', order, context);
  }

  @OnEmission(OrderNow, { durable: true, id: 'added' })
  added(order: OrderNow, _: Emission, context: HandlerContext): void {
    ran('added', order, context);
  }
}

/** Works as long as its parent likes. */
@Injectable()
class Holding {
  static release: () => void = () => {};

  constructor(private readonly emissions: Emissions) {}

  @OnEmission('hold', { durable: true, id: 'hold' })
  async hold(payload: unknown, _: Emission, context: HandlerContext): Promise<void> {
    context.signal.addEventListener('abort', () =>
      tell({ kind: 'aborted', code: context.signal.reason.code, attempt: context.attempt }),
    );
    ran('hold', payload, context);
    await new Promise<void>((resolve) => (Holding.release = resolve));
    this.emissions.emit('effect', context.attempt);
    tell({ kind: 'ended', attempt: context.attempt });
  }

  @OnEmission('effect', { durable: true, id: 'effect' })
  effect(payload: unknown, _: Emission, context: HandlerContext): void {
    ran('effect', payload, context);
  }
}

class Telling extends ConsoleLogger {
  override warn(text: unknown): void {
    tell({ kind: 'warned', text });
  }
}

@Module({
  imports: [
    EmissionsModule.forRoot(),
    EmissionsDurableModule.forRoot(JSON.parse(OPTIONS!) as Partial<DurableOptions>),
  ],
  providers: [VERSION === 'old' ? Old : New, Holding],
})
class App {}

onSignal('emissions:delivery:completed', (about) => tell({ kind: 'completed', ...about }));
onSignal('emissions:delivery:unknown', (about) => tell({ kind: 'unknown', ...about }));
onSignal('emissions:delivery:failed', ({ error, ...about }) =>
  tell({ kind: 'failed', code: (error as { code?: string }).code, ...about }),
);

type Order = { readonly order: string; readonly amount: number };
type Command = 'release' | 'close' | Order | { readonly emit: string };

const app = await NestFactory.createApplicationContext(App, {
  logger: new Telling({ logLevels: ['warn'] }),
  abortOnError: false,
}).catch((error: Error) => {
  tell({ kind: 'refused', text: error.message });
  process.exit(3);
});
const emissions = app.get(Emissions);

async function obey(command: Command): Promise<void> {
  if (command === 'release') return Holding.release();
  if (command === 'close') {
    await app.close();
    process.disconnect();
    return;
  }
  await emissions.run(() => {
    if ('emit' in command) return void emissions.emit(command.emit, null);
    const { order, amount } = command;
    emissions.emit(VERSION === 'old' ? new OrderOnce(order, amount) : new OrderNow(order, amount));
  });
  tell({ kind: 'committed' });
}

process.on('message', (command: Command) => void obey(command));
process.on('disconnect', () => process.exit(0));
tell({ kind: 'ready' });
