import { describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import { EmissionType, IGNORED, type Emission } from 'nestjs-emissions';
import {
  createEmission,
  emissionMatchers,
  runHandler,
  type EmissionMatchers,
  type EmissionRecorder,
  type HandlerOutcome,
} from 'nestjs-emissions/testing';
import type { Assertion, expect as vitestExpect } from 'vitest';

declare module 'nestjs-emissions' {
  interface EmissionCatalog {
    'types-spec.tested': { id: string; lines: { article: string }[] };
  }
}
interface Tested {
  id: string;
  lines: { article: string }[];
}

@EmissionType('types-spec.classed')
class Classed {
  constructor(readonly to: string) {}
}

class Host {
  field = 1;
  async sync(): Promise<number | typeof IGNORED> {
    return Promise.resolve(1);
  }
}

/** The compiler checks them; nothing is run. */
function expectations(recorder: EmissionRecorder) {
  expectTypeOf(recorder.expectEmitted('types-spec.tested')).toEqualTypeOf<Emission<Tested>>();
  expectTypeOf(recorder.expectEmitted(Classed).payload).toEqualTypeOf<Classed>();
  expectTypeOf(recorder.expectEmitted('anything').payload).toBeAny();
  expectTypeOf(recorder.next('types-spec.tested')).resolves.toEqualTypeOf<Emission<Tested>>();
  expectTypeOf(recorder.named(Classed)).toEqualTypeOf<Emission<Classed>[]>();

  recorder.expectEmitted('types-spec.tested', { payload: { lines: [{ article: 'a' }] }, depth: 0 });
  recorder.expectEmitted('types-spec.tested', { payload: { id: expect.any(String) } });
  recorder.expectEmitted('types-spec.tested', ({ payload }) => payload.id === '1');
  recorder.expectEmitted(Classed, { payload: { to: 'x' } });
  recorder.expectEmitted('anything', { payload: { any: 'shape' } });
  // @ts-expect-error -- the payload has no field `ids`
  recorder.expectEmitted('types-spec.tested', { payload: { ids: '1' } });
  // @ts-expect-error -- `id` is a string
  recorder.expectNotEmitted('types-spec.tested', { payload: { id: 1 } });
  // @ts-expect-error -- emissions have no field `data`
  recorder.has('types-spec.tested', { data: 1 });

  const [first, second, third] = recorder.expectEmittedInOrder([
    'types-spec.tested',
    [Classed, { payload: { to: 'x' } }],
    'anything',
  ]);
  expectTypeOf(first).toEqualTypeOf<Emission<Tested>>();
  expectTypeOf(second).toEqualTypeOf<Emission<Classed>>();
  expectTypeOf(third.payload).toBeAny();
  // @ts-expect-error -- `to` is a string
  recorder.expectEmittedInOrder([[Classed, { payload: { to: 1 } }]]);

  // @ts-expect-error -- there is no such mode
  recorder.use('loud');
  expectTypeOf(recorder.allow((n: number) => String(n))).toEqualTypeOf<(n: number) => string>();
  // @ts-expect-error -- a unit of work has no `user`
  recorder.allow({ user: 'ada' });
}

function matchers(
  jestGlobals: typeof expect,
  jestGlobal: jest.Matchers<void>,
  vitest: typeof vitestExpect,
  assertion: Assertion,
  recorder: EmissionRecorder,
) {
  jestGlobals(recorder).toHaveEmitted('types-spec.tested', { payload: { id: '1' } });
  jestGlobals(recorder).not.toHaveEmittedInOrder(['types-spec.tested', Classed]);
  // @ts-expect-error -- `id` is a string
  jestGlobals(recorder).toHaveEmitted('types-spec.tested', { payload: { id: 1 } });
  jestGlobals.extend(emissionMatchers);

  jestGlobal.toHaveEmitted(Classed, { payload: { to: 'x' } });
  // @ts-expect-error -- `to` is a string
  jestGlobal.toHaveEmitted(Classed, { payload: { to: 1 } });

  vitest(recorder).toHaveEmitted('types-spec.tested', ({ payload }) => payload.id === '1');
  vitest(recorder).not.toHaveEmittedInOrder([Classed]);
  assertion.toHaveEmitted('types-spec.tested');
  // @ts-expect-error -- the payload has no field `ids`
  vitest(recorder).toHaveEmitted('types-spec.tested', { payload: { ids: 1 } });
  vitest.extend(emissionMatchers);
}

async function handlers(app: Parameters<typeof runHandler>[0]) {
  const emission = createEmission('types-spec.tested', { id: '1', lines: [] });
  expectTypeOf(emission).toEqualTypeOf<Emission<Tested>>();
  expectTypeOf(createEmission(new Classed('x'))).toEqualTypeOf<Emission<Classed>>();
  expectTypeOf(createEmission('anything', 1)).toEqualTypeOf<Emission<number>>();
  // @ts-expect-error -- `id` is missing
  createEmission('types-spec.tested', { lines: [] });
  // @ts-expect-error -- the payload is missing
  createEmission('types-spec.tested');

  const outcome = await runHandler(app, Host, 'sync', emission);
  expectTypeOf(outcome).toEqualTypeOf<HandlerOutcome<number>>();
  if (outcome.outcome === 'processed') expectTypeOf(outcome.result).toEqualTypeOf<number>();
  // @ts-expect-error -- a field is no method
  await runHandler(app, Host, 'field', emission);
  // @ts-expect-error -- nothing was processed
  if (outcome.outcome === 'ignored') expectTypeOf(outcome.result).toBeAny();
}

describe('the testing kit', () => {
  it('is typed by the catalog, in jest and in vitest', () => {
    expectTypeOf<EmissionMatchers>().toHaveProperty('toHaveEmitted');
    for (const checked of [expectations, matchers, handlers])
      expect(checked).toBeInstanceOf(Function);
  });
});
