import fc from 'fast-check';
import { BufferNotStartedError, type Emission, type Emissions } from 'nestjs-emissions';
import { BufferModel, type Expectation, type ModelUnit, type Outcome } from './buffer-model.js';
import { nextRound } from './until.js';

/** One step of a unit of work. */
export type Step =
  | { do: 'emit' }
  | { do: 'terminate' }
  | { do: 'start' }
  | { do: 'flush'; outcome: Outcome }
  | { do: 'commit'; outcome: Outcome }
  | { do: 'branches'; branches: Step[][] }
  | { do: 'leave'; steps: Step[] }
  | ({ do: 'run' | 'leave running' } & Run);

/** A nested `run`, or a whole unit of work. */
export interface Run {
  steps: Step[];
  throws: boolean;
  outcome: Outcome;
}

const outcome = fc.constantFrom<Outcome>('ok', 'ok', 'refuse', 'wait', 'wait', 'wait, refuse');

const { run } = fc.letrec<{ step: Step; steps: Step[]; run: Run }>((tie) => ({
  steps: fc.array(tie('step'), { maxLength: 6 }),
  run: fc.record({ steps: tie('steps'), throws: fc.boolean(), outcome }),
  step: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'steps', withCrossShrink: true },
    { weight: 7, arbitrary: fc.constant({ do: 'emit' } as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom({ do: 'terminate' } as const, { do: 'start' } as const),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('flush', 'commit'), outcome }) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.constantFrom('run' as const, 'leave running' as const), tie('run'))
        .map(([kind, nested]) => ({ do: kind, ...nested })),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('branches' as const),
        branches: fc.array(tie('steps'), { minLength: 1, maxLength: 3 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('leave' as const), steps: tie('steps') }),
    },
  ) as fc.Arbitrary<Step>,
}));

/** Units of work that run side by side, and the order in which what waits goes on. */
export const program: fc.Arbitrary<{ units: Run[]; picks: number[] }> = fc.record({
  units: fc.array(run, { minLength: 1, maxLength: 3 }),
  picks: fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 40 }),
});

/** Runs a program against emissions and, in step with it, against the model. */
export class Interpreter {
  readonly model = new BufferModel();
  /** Where the two disagreed. */
  readonly problems: string[] = [];
  readonly #left: Promise<unknown>[] = [];
  readonly #waiting: (() => void)[] = [];
  #items = 0;

  constructor(
    readonly emissions: Emissions,
    readonly unbuffered: 'drop' | 'deliver',
  ) {}

  /** Takes part in the hand-overs of the program. */
  accept(emissions: readonly Emission[]): readonly Emission[] | Promise<readonly Emission[]> {
    const items = emissions.map(({ payload }) => payload as number);
    const handOver = this.model.handOver(items);
    if (handOver === undefined) {
      // Without a buffer, one at a time.
      if (items.length !== 1 || !this.model.delivered.includes(items[0]!))
        this.problems.push(`handed over unexpectedly: ${String(items)}`);
      return emissions;
    }
    if (handOver.outcome === 'refuse') throw new Refusal();
    if (handOver.outcome === 'ok') return emissions;
    return this.#turn().then(() => {
      this.model.complete(handOver);
      if (handOver.outcome === 'wait, refuse') throw new Refusal();
      return emissions;
    });
  }

  async execute({ units, picks }: { units: Run[]; picks: number[] }): Promise<void> {
    const all = units.map((unit) => this.#run(unit, undefined));
    for (let i = 0; this.#waiting.length > 0; i++) {
      const [next] = this.#waiting.splice(picks[i % picks.length]! % this.#waiting.length, 1);
      next!();
      await nextRound();
    }
    await Promise.all([...all, ...this.#left]);
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #run(
    { steps, throws, outcome: ending }: Run,
    around: ModelUnit | undefined,
  ): Promise<void> {
    const unit = this.model.run(around);
    let expected: Expectation = { result: undefined };
    const work = async (): Promise<number> => {
      await this.#steps(steps, unit);
      expected = this.model.finish(unit, throws, ending);
      if (throws) throw new Thrown();
      return 0;
    };
    const got = await resultOf(this.emissions.run(work));
    const wanted = throws ? 'thrown' : expected.result === 'refused' ? 'refused' : 0;
    if (got !== wanted) this.problems.push(`run gave ${got}, not ${wanted}`);
  }

  async #steps(steps: readonly Step[], unit: ModelUnit): Promise<void> {
    for (const step of steps) {
      await this.#turn();
      await this.#step(step, unit);
    }
  }

  async #step(step: Step, unit: ModelUnit): Promise<void> {
    const { emissions, model } = this;
    switch (step.do) {
      case 'emit': {
        const item = this.#items++;
        const expected = model.emit(unit, item, this.unbuffered);
        return this.#expect('emit', emissions.emit('item', item) !== undefined, expected);
      }
      case 'terminate': {
        const expected = model.terminate(unit);
        return this.#expect('terminate', emissions.terminate(), expected);
      }
      case 'start': {
        const expected = model.start(unit);
        return this.#expect('start', started(emissions), expected);
      }
      case 'flush':
      case 'commit': {
        const expected = model[step.do](unit, step.outcome);
        const got = await resultOf(emissions[step.do]());
        return this.#expect(step.do, got, expected.result);
      }
      case 'branches':
        await Promise.all(step.branches.map((branch) => this.#steps(branch, unit)));
        return;
      case 'leave':
        return void this.#left.push(this.#steps(step.steps, unit));
      case 'leave running':
        return void this.#left.push(this.#run(step, unit));
      case 'run':
        return this.#run(step, unit);
    }
  }

  #expect(what: string, got: unknown, expected: unknown): void {
    if (got !== expected)
      this.problems.push(`${what} gave ${String(got)}, not ${String(expected)}`);
  }
}

class Refusal extends Error {}
class Thrown extends Error {}

function started(emissions: Emissions): boolean {
  try {
    return emissions.start().size === 0;
  } catch {
    return false;
  }
}

async function resultOf(call: Promise<number>): Promise<number | string> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Refusal) return 'refused';
    if (error instanceof Thrown) return 'thrown';
    return error instanceof BufferNotStartedError ? 'not started' : String(error);
  }
}
