import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, type ConsumerSettings } from 'nestjs-emissions';
import { consumerOptionsOf, pipelineOptions } from '../../lib/pipeline/pipeline.options.js';

const resolve = (pipeline: object, consumer: ConsumerSettings = {}) =>
  consumerOptionsOf(
    pipelineOptions.resolve(pipeline, 'pipeline'),
    consumer,
    'The adapter audit: consumer',
  );

describe("A consumer's options", () => {
  it('have the documented defaults', () => {
    expect(resolve({})).toEqual({
      batchSize: 50,
      maxWaitMs: 0,
      concurrency: 1,
      capacity: 10_000,
      overflow: 'wait',
      timeoutMs: 0,
      durable: false,
      retry: { attempts: 1, backoffMs: 100, factor: 2, maxBackoffMs: 30_000, jitter: 0.2 },
    });
  });

  it("go before the pipeline's, one by one, those of retry too", () => {
    expect(
      resolve(
        { batchSize: 10, timeoutMs: 5, retry: { attempts: 3, jitter: 0 } },
        { batchSize: 20, retry: { attempts: 7 } },
      ),
    ).toMatchObject({ batchSize: 20, timeoutMs: 5, retry: { attempts: 7, jitter: 0 } });
  });

  it("leave the pipeline's where they say undefined, as an unset environment variable does", () => {
    const unset = { batchSize: undefined, timeoutMs: undefined, retry: { attempts: undefined } };

    expect(
      resolve({ batchSize: 10, timeoutMs: 5, retry: { attempts: 3 } }, unset as never),
    ).toMatchObject({ batchSize: 10, timeoutMs: 5, retry: { attempts: 3 } });
  });

  it.each([
    [{ batchSize: 0 }, /audit: consumer\.batchSize takes a whole number of 1 or more, but got 0/],
    [{ concurrency: 1.5 }, /consumer\.concurrency takes a whole number/],
    [{ overflow: 'drop' }, /consumer\.overflow takes 'wait' or 'reject' or .*, but got 'drop'/],
    [{ retry: { attempts: 0 } }, /consumer\.retry\.attempts takes/],
    [{ retry: { jitter: 2 } }, /consumer\.retry\.jitter takes a number from 0 to 1/],
    [{ maxWaitMs: -1 }, /consumer\.maxWaitMs takes milliseconds/],
    [{ timeoutMs: Number.POSITIVE_INFINITY }, /consumer\.timeoutMs takes milliseconds/],
    [{ batchsize: 5 }, /consumer has no option "batchsize"\. It has: .*batchSize/],
    [[], /consumer takes an object/],
  ])('are refused when they are wrong: %j', (consumer, message) => {
    const resolving = () => resolve({}, consumer as never);

    expect(resolving).toThrow(ConfigurationError);
    expect(resolving).toThrow(message);
  });
});
