import { describe, expect, it } from '@jest/globals';
import { adapterDestination } from '../../lib/adapter.destination.js';
import type { SingleCall } from '../../lib/emission/destination.js';
import { Consumer } from '../../lib/pipeline/consumer.js';
import { pipelineOptions } from '../../lib/pipeline/pipeline.options.js';
import { Bench, handTurned } from '../support/pipeline.js';

const options = pipelineOptions.resolve({}, 'pipeline');

/** A consumer whose turns are given by hand; it is called for one emission at a time, and says with which it has begun. */
function consumer(goesOn: (payload: unknown) => boolean) {
  const begun: unknown[] = [];
  const calls: SingleCall[] = [];
  const served = adapterDestination('x', { deliver: () => {} }, { batchSize: 1 }, options);
  const made = new Consumer(
    {
      ...served,
      kind: 'handler',
      handle: ({ payload }, call) => {
        begun.push(payload);
        calls.push(call);
        return goesOn(payload);
      },
    },
    handTurned,
  );
  return { consumer: made, begun, calls };
}

describe('What arrives at a consumer', () => {
  it('does not overtake what was queued, also when nothing had been queued for long', () => {
    using bench = new Bench();
    const { consumer: made, begun, calls } = consumer((payload) => payload === 3);
    const emissions = bench.emissions(5);
    made.accept(emissions);
    for (const emission of emissions.slice(0, 4)) made.receive(emission, undefined);
    expect(begun).toEqual([1, 2, 3]);
    calls[2]!.succeeded();
    // It has room for a call again and has not had its turn yet.
    made.receive(emissions[4]!, undefined);
    expect(begun).toEqual([1, 2, 3]);
    made.turn();

    expect(begun).toEqual([1, 2, 3, 4, 5]);
    expect(made.pending).toBe(0);
  });
});
