import { Agent } from 'node:http';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  HttpStatus,
  Injectable,
  Post,
  Res,
  UnprocessableEntityException,
} from '@nestjs/common';
import { Emissions, type Emission } from 'nestjs-emissions';
import type { Answer } from '../support/http.js';
import { range } from '../support/pipeline.js';
import type { Reply } from '../support/routes.js';
import { listen, type SignalLog } from '../support/signals.js';
import { site, SITES } from '../support/site.js';
import { rounds } from '../support/until.js';

const REQUESTS = 1_000;
const CONNECTIONS = 100;
/** After so many requests comes one that only reads, on the same connections. */
const READ_EVERY = 10;
const CHANNELS = [
  'emissions:buffer:started',
  'emissions:buffer:committed',
  'emissions:buffer:terminated',
  'emissions:emission:dropped',
] as const;

/** Requests of an odd number fail, in turn in each of these ways. */
const FAILURES = [
  () => {
    throw new UnprocessableEntityException();
  },
  (res: Reply) => res.status(HttpStatus.CONFLICT),
  () => {
    throw new Error('no');
  },
];
const STATUSES = [422, 409, 500];
const fails = (n: number): boolean => n % 2 === 1;
const wayOf = (n: number): number => ((n - 1) / 2) % FAILURES.length;
const statusOf = (n: number): number => (fails(n) ? STATUSES[wayOf(n)]! : 201);

/** How many handlers run at once, and the most that ever did. */
const running = { now: 0, most: 0 };

/** Emits from further down, where nobody has passed the request on. */
@Injectable()
class Stock {
  constructor(private readonly emissions: Emissions) {}

  async reserve(n: number): Promise<void> {
    await pause();
    this.emissions.emit('stock.reserved', { n, i: 2 });
  }
}

@Controller('orders')
class Orders {
  constructor(
    private readonly emissions: Emissions,
    private readonly stock: Stock,
  ) {}

  @Post()
  async place(@Body() { n }: { n: number }, @Res({ passthrough: true }) res: Reply): Promise<void> {
    running.most = Math.max(running.most, ++running.now);
    try {
      await pause();
      this.emissions.emit('order.created', { n, i: 1 });
      await this.stock.reserve(n);
      await pause();
      this.emissions.emit('order.paid', { n, i: 3 });
      await pause();
      if (fails(n)) FAILURES[wayOf(n)]!(res);
    } finally {
      running.now--;
    }
  }

  @Get()
  async read(): Promise<object> {
    await pause();
    return { taken: this.emissions.emit('order.read') !== undefined };
  }
}

/** A few rounds of the event loop, never the same for two requests, so that they overtake each other. */
function pause(): Promise<void> {
  return rounds(Math.floor(Math.random() * 5));
}

describe.each(SITES)('a thousand requests at once on %s with the %s', (server, integration) => {
  const numbers = range(1, REQUESTS);
  let answers: Answer[];
  let reads: Answer[];
  let live: number;
  let delivered: readonly Emission[];
  let log: SignalLog<(typeof CHANNELS)[number]>;

  beforeAll(async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    await using at = await site(server, integration, {
      controllers: [Orders],
      providers: [Stock],
    });
    running.most = 0;
    log = listen(...CHANNELS);
    const reading: Promise<Answer>[] = [];
    const placing = numbers.map((n) => {
      if (n % READ_EVERY === 0) reading.push(at.ask('GET', '/orders', { agent }));
      return at.post('/orders', { n }, { agent });
    });
    answers = await Promise.all(placing);
    reads = await Promise.all(reading);
    live = at.live;
    delivered = await at.delivered();
    log.stop();
    agent.destroy();
  });

  it('are answered each by its own outcome', () => {
    expect(answers.map(({ status }) => status)).toEqual(numbers.map(statusOf));
    expect(running.now).toBe(0);
    expect(running.most).toBeGreaterThan(CONNECTIONS / 4);
  });

  it('deliver all that the successful ones emitted, in order, and nothing of the failed ones', () => {
    const successful = numbers.filter((n) => !fails(n));
    expect(successful).toHaveLength(REQUESTS / 2);
    const byRequest = Map.groupBy(delivered, ({ payload }) => (payload as { n: number }).n);
    expect([...byRequest.keys()].sort((a, b) => a - b)).toEqual(successful);
    for (const [n, emissions] of byRequest) {
      expect(emissions.map(({ name, payload }) => [name, payload])).toEqual([
        ['order.created', { n, i: 1 }],
        ['stock.reserved', { n, i: 2 }],
        ['order.paid', { n, i: 3 }],
      ]);
    }
  });

  it('hand over what one emitted together, under a correlation id of its own', () => {
    const numberOf = ({ payload }: Emission) => (payload as { n: number }).n;
    for (let first = 0; first < delivered.length; first += 3) {
      const emissions = delivered.slice(first, first + 3);
      expect(new Set(emissions.map(numberOf)).size).toBe(1);
      expect(new Set(emissions.map(({ correlationId }) => correlationId))).toEqual(
        new Set([emissions[0]!.id]),
      );
    }
    expect(new Set(delivered.map(({ id }) => id)).size).toBe(delivered.length);
    expect(new Set(delivered.map(({ correlationId }) => correlationId)).size).toBe(REQUESTS / 2);
  });

  it('end every buffer that they began', () => {
    expect(log.of('emissions:buffer:started')).toHaveLength(REQUESTS);
    const committed = log.of('emissions:buffer:committed');
    const terminated = log.of('emissions:buffer:terminated');
    expect([committed.length, terminated.length]).toEqual([REQUESTS / 2, REQUESTS / 2]);
    expect(new Set([...committed, ...terminated].map(({ count }) => count))).toEqual(new Set([3]));
    expect(live).toBe(0);
  });

  it('lend no buffer to the reads between them', () => {
    expect(reads).toHaveLength(REQUESTS / READ_EVERY);
    expect(new Set(reads.map(({ text }) => text))).toEqual(new Set(['{"taken":false}']));
    expect(log.of('emissions:emission:dropped')).toEqual(
      reads.map(() => ({ reason: 'unbuffered', emission: 'order.read', count: 1 })),
    );
  });
});
