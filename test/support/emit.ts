import type { EmitOptions, Emissions } from 'nestjs-emissions';

/** What to emit: a name, or a name with its payload, metadata and options. */
export type Emitted =
  | string
  | [string, unknown?, (Record<string, unknown> | undefined)?, EmitOptions?];

/** Emits in one unit of work and commits it. */
export async function emit(emissions: Emissions, ...all: Emitted[]): Promise<void> {
  await emissions.run(() => {
    for (const each of all) {
      const [name, payload, metadata, options] = typeof each === 'string' ? [each] : each;
      (emissions.emit as (...emitted: unknown[]) => void).call(
        emissions,
        name,
        payload,
        metadata,
        options,
      );
    }
  });
}

/** The same, and waits until everything it causes has happened. */
export async function emitAndSettle(emissions: Emissions, ...all: Emitted[]): Promise<void> {
  await emit(emissions, ...all);
  await emissions.settled();
}
