import type { Provider, Type } from '@nestjs/common';
import { Emissions, EmissionsModule, type Emission, type EmissionsOptions } from 'nestjs-emissions';
import type { CommitParticipant } from '../../lib/emission/adapter.js';
import { Pipeline } from '../../lib/pipeline/pipeline.js';
import { RecordingAdapter } from './adapters.js';
import { start } from './app.js';

/** An application without a server: whatever is committed goes to one adapter. */
export interface Lab extends AsyncDisposable {
  readonly emissions: Emissions;
  readonly commits: Commits;
  /** Takes part in every hand-over. */
  participate(accept: CommitParticipant['accept']): void;
  /** The adapter. */
  readonly sink: RecordingAdapter;
  /** What was delivered once everything has settled. */
  delivered(): Promise<readonly Emission[]>;
  /** A provider of the application. */
  get<T>(type: Type<T>): T;
  /** The same, the names. */
  names(): Promise<string[]>;
}

/** Starts one. */
export async function lab(
  options: EmissionsOptions = {},
  providers: Provider[] = [],
): Promise<Lab> {
  const sink = new RecordingAdapter();
  const running = await start({
    imports: [
      EmissionsModule.forRoot({ ...options, adapters: [{ name: 'sink', useValue: sink }] }),
    ],
    providers,
  });
  const commits = new Commits();
  const pipeline = running.app.get(Pipeline, { strict: false });
  pipeline.join(commits);
  const { emissions } = running;
  const delivered = async (): Promise<readonly Emission[]> => {
    await emissions.settled();
    return sink.emissions;
  };
  return {
    emissions,
    commits,
    participate: (accept) => pipeline.join({ accept }),
    sink,
    get: (type) => running.app.get(type),
    delivered,
    names: async () => (await delivered()).map(({ name }) => name),
    [Symbol.asyncDispose]: () => running.close(),
  };
}

type Accepted = ReturnType<CommitParticipant['accept']>;

/** Takes part in hand-overs, and does with the next ones what the test says; lets them pass when it says nothing. */
export class Commits {
  readonly #script: ((emissions: readonly Emission[]) => Accepted)[] = [];

  accept(emissions: readonly Emission[]): Accepted {
    return this.#script.shift()?.(emissions) ?? emissions;
  }

  /** The next hand-over is refused at once. */
  refuse(error: Error): void {
    this.#script.push(() => {
      throw error;
    });
  }

  /** The next hand-over waits until the test says how it ends. */
  hold(): { pass(): void; refuse(error: Error): void } {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#script.push(async (emissions) => {
      await promise;
      return emissions;
    });
    return { pass: () => resolve(), refuse: (error) => reject(error) };
  }
}
