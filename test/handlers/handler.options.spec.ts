import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, type HandlerOptions } from 'nestjs-emissions';
import { resolveHandlerOptions } from '../../lib/handlers/handler.options.js';
import { pipelineOptions } from '../../lib/pipeline/pipeline.options.js';

const resolve = (options: HandlerOptions, pipeline: object = {}) =>
  resolveHandlerOptions(options, pipelineOptions.resolve(pipeline, 'pipeline'), 'The handler A.b');

describe("A handler's options", () => {
  it('have the documented defaults, and each emission is a call of its own', () => {
    expect(resolve({})).toEqual({
      batchSize: 1,
      maxWaitMs: 0,
      concurrency: 16,
      capacity: 10_000,
      overflow: 'wait',
      timeoutMs: 0,
      retry: { attempts: 1, backoffMs: 100, factor: 2, maxBackoffMs: 30_000, jitter: 0.2 },
      priority: 0,
      once: false,
      critical: false,
      durable: false,
      maxAttempts: 5,
      onDead: 'block',
    });
  });

  it('of a durable one have no queue, and try again for minutes', () => {
    const pipeline = { capacity: 5, timeoutMs: 3, retry: { attempts: 4, backoffMs: 1 } };
    expect(resolve({ durable: true, retry: { jitter: 0 } }, pipeline)).toMatchObject({
      timeoutMs: 3,
      maxAttempts: 5,
      retry: { attempts: 1, backoffMs: 1_000, factor: 4, maxBackoffMs: 300_000, jitter: 0 },
    });
  });

  it.each([
    [{ durable: true, capacity: 5 }, 'is durable, and has no queue in memory: it cannot have'],
    [{ durable: true, once: true }, 'it cannot have the option "once"'],
    [{ durable: true, critical: true }, 'is critical, and runs inside the commit'],
    [{ durable: true, retry: { attempts: 3 } }, 'is said with "maxAttempts"'],
    [{ maxAttempts: 3 }, 'has the option "maxAttempts", which is for durable handlers'],
    [{ onDead: 'skip' as const }, 'has the option "onDead", which is for durable handlers'],
    [{ durable: true, maxAttempts: 0 }, 'maxAttempts takes a whole number from 1 to 1000'],
  ])('are refused where they do not go together: %j', (options, message) => {
    expect(() => resolve(options)).toThrow(message);
  });

  it("take what they leave out from the pipeline's, but not its batches", () => {
    const pipeline = {
      batchSize: 7,
      maxWaitMs: 9,
      capacity: 5,
      overflow: 'reject',
      timeoutMs: 3,
      retry: { attempts: 4, jitter: 0 },
    };

    expect(resolve({ capacity: 6, retry: { attempts: 2 } }, pipeline)).toMatchObject({
      batchSize: 1,
      maxWaitMs: 0,
      concurrency: 16,
      capacity: 6,
      overflow: 'reject',
      timeoutMs: 3,
      retry: { attempts: 2, jitter: 0 },
    });
  });

  it("leave the pipeline's where they say undefined", () => {
    const unset = { timeoutMs: undefined, concurrency: undefined, retry: { attempts: undefined } };

    expect(resolve(unset as never, { timeoutMs: 3, retry: { attempts: 4 } })).toMatchObject({
      timeoutMs: 3,
      concurrency: 16,
      retry: { attempts: 4 },
    });
  });

  it.each([
    [{ priority: 10 }, /A\.b\.priority takes a whole number from 0 to 9, but got 10/],
    [{ priority: -1 }, /A\.b\.priority takes/],
    [{ id: '' }, /A\.b\.id takes a non-empty string/],
    [{ interested: true }, /A\.b\.interested takes a function/],
    [{ once: 'yes' }, /A\.b\.once takes true or false/],
    [{ retry: { attempts: '3' } }, /A\.b\.retry\.attempts takes/],
    [{ batchSize: 5 }, /A\.b has no option "batchSize"\. It has: capacity, concurrency/],
    [{ maxWaitMs: 5 }, /A\.b has no option "maxWaitMs"/],
    [{ unknown: 5 }, /A\.b has no option "unknown"/],
  ])('are refused when they are wrong: %j', (options, message) => {
    const resolving = () => resolve(options as never);

    expect(resolving).toThrow(ConfigurationError);
    expect(resolving).toThrow(message);
  });

  it.each<HandlerOptions>([
    { concurrency: 2 },
    { capacity: 5 },
    { overflow: 'reject' },
    { retry: {} },
    { once: true },
  ])('of a critical handler cannot say what would do nothing: %j', (options) => {
    const resolving = () => resolve({ critical: true, ...options });

    expect(resolving).toThrow(ConfigurationError);
    expect(resolving).toThrow(new RegExp(`A\\.b is critical.*"${Object.keys(options)[0]}"`));
  });
});
