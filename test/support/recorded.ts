import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Emissions, EmissionsModule, type EmissionsOptions } from 'nestjs-emissions';
import {
  recordEmissions,
  type EmissionRecorder,
  type RecorderMode,
} from 'nestjs-emissions/testing';

/** An application under a recorder. */
export interface Recorded extends AsyncDisposable {
  readonly app: INestApplication;
  readonly recorder: EmissionRecorder;
  readonly emissions: Emissions;
  /** Emits these names, or names with payloads, in one unit of work, and commits it. */
  emit(...emitted: (string | readonly [string, unknown])[]): Promise<void>;
}

/** Starts one, without a server; `listen` makes it one with. */
export async function recorded(
  mode: RecorderMode | undefined,
  metadata: ModuleMetadata = {},
  options: EmissionsOptions = {},
  { listen = false } = {},
): Promise<Recorded> {
  const builder = Test.createTestingModule({
    ...metadata,
    imports: [EmissionsModule.forRoot(options), ...(metadata.imports ?? [])],
  });
  const recorder = recordEmissions(builder, { ...(mode !== undefined && { mode }) });
  const app = (await builder.compile()).createNestApplication({ logger: false });
  if (listen) await app.listen(0, '127.0.0.1');
  else await app.init();
  const emissions = app.get(Emissions);
  return {
    app,
    recorder,
    emissions,
    emit: (...emitted) =>
      emissions.run(() => {
        for (const each of emitted) {
          const [name, payload] = typeof each === 'string' ? [each] : each;
          emissions.emit(name as string, payload);
        }
      }),
    [Symbol.asyncDispose]: () => app.close(),
  };
}

/** What a call that has to throw says. */
export function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('Nothing was thrown.');
}
