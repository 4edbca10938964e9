import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Interpreter, program } from '../support/buffer-program.js';
import { lab } from '../support/lab.js';
import { silence } from '../support/logs.js';
import { listen } from '../support/signals.js';

const RUNS = Number(process.env['EMISSIONS_MODEL_RUNS'] ?? 1_000);

describe.each(['drop', 'deliver'] as const)("with the policy '%s'", (unbuffered) => {
  it('buffers agree with the model, whatever units do and however they interleave', async () => {
    await using at = await lab({ unbuffered });
    silence();
    let interpreter: Interpreter | undefined;
    at.participate((emissions) => interpreter!.accept(emissions));
    let steps = 0;

    await fc.assert(
      fc.asyncProperty(program, async (sample) => {
        using log = listen(
          'emissions:buffer:started',
          'emissions:buffer:committed',
          'emissions:buffer:terminated',
        );
        interpreter = new Interpreter(at.emissions, unbuffered);
        const { model, problems } = interpreter;
        at.sink.batches.length = 0;
        await interpreter.execute(sample);
        const delivered = (await at.delivered()).map(({ payload }) => payload);

        expect(problems).toEqual([]);
        expect(delivered).toEqual(model.delivered);
        expect(model.announced).toEqual([]);
        const ended = log.of('emissions:buffer:terminated').filter(({ savepoint }) => !savepoint);
        expect(log.of('emissions:buffer:started')).toHaveLength(model.started);
        expect(log.of('emissions:buffer:committed').length + ended.length).toBe(
          model.started - model.live,
        );
        steps += delivered.length;
      }),
      { numRuns: RUNS },
    );
    // The programs are worth their name.
    expect(steps).toBeGreaterThan(RUNS);
  }, 120_000);
});
