import type { Emissions } from 'nestjs-emissions';

/** Lets the commits wait until the test lets them pass. */
export function holdCommits(emissions: Emissions): { reached: Promise<void>; pass(): void } {
  const reached = Promise.withResolvers<void>();
  const passing = Promise.withResolvers<void>();
  const hold = async (): Promise<void> => {
    reached.resolve();
    await passing.promise;
  };
  emissions.subscribe('**', hold, { critical: true });
  return { reached: reached.promise, pass: () => passing.resolve() };
}
