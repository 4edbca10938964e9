import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { hasStandIn } from '../support/kafka.js';
import { loadSample } from './load-sample.js';

const isThere = Boolean(process.env['KAFKA_BROKERS']) || hasStandIn();
const describeKafka = isThere ? describe : describe.skip;
const { run } = await loadSample<{ run(): Promise<void> }>('06-kafka-bridge/src/main');

describeKafka('orders, bridged to Kafka', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('are read as they were emitted, in their order, and nothing of a request that failed', async () => {
    const log = jest.spyOn(console, 'log').mockImplementation(() => {});
    await run();
    const lines = log.mock.calls.map(([line]) => String(line));
    expect(lines.filter((line) => line.startsWith('POST'))).toEqual([
      'POST /orders {"id":"1","customer":"ada","quantity":2}: 201',
      'POST /orders {"id":"2","customer":"ada","quantity":20}: 500',
      'POST /orders {"id":"3","customer":"ada","quantity":1}: 201',
    ]);
    expect(lines.filter((line) => line.startsWith('Read'))).toEqual([
      'Read order.created {"id":"1","customer":"ada","quantity":2} of shop-1, key ada',
      'Read order.created {"id":"3","customer":"ada","quantity":1} of shop-1, key ada',
    ]);
  }, 30_000);
});
