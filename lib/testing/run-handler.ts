import type { INestApplicationContext, Type } from '@nestjs/common';
import type { Emission } from '../emission/emission.js';
import { isInterested } from '../emission/interest.js';
import { Pattern } from '../emission/pattern.js';
import { quote } from '../emission/quote.js';
import { HandlerExplorer, type FoundHandler } from '../handlers/handler.explorer.js';
import type { EmissionHandler, Handler } from '../handlers/handler.js';
import { HandlerInvoker } from '../handlers/handler.invoker.js';
import { isIgnored, type IGNORED } from '../handlers/ignored.js';
import { TestingError } from './testing.errors.js';

/** What became of an emission that was given to a handler. */
export type HandlerOutcome<R = unknown> = (
  | { readonly outcome: 'processed'; readonly result: R }
  | { readonly outcome: 'ignored' }
  | { readonly outcome: 'not-interested' }
) & {
  /**
   * What the handler emitted and would commit, in order; it goes nowhere. Not enumerable, so that an outcome compares with
   * `toEqual({ outcome: 'processed', result })`.
   */
  readonly emitted: readonly Emission[];
};

/** The methods of a class. */
export type MethodOf<T> = {
  [K in keyof T]: T[K] extends (...args: any[]) => unknown ? K : never;
}[keyof T] &
  string;

/** What a method resolves with when it handles an emission. */
export type ResultOf<T, M extends keyof T> = T[M] extends (...args: any[]) => infer R
  ? Exclude<Awaited<R>, typeof IGNORED>
  : never;

/** What the handler is told about the call. */
export interface RunHandlerOptions {
  /**
   * Which of several handlers on one method is meant. Without it, the first whose pattern takes the emission and that is
   * interested in it.
   */
  id?: string;
  /**
   * Which attempt it is to be.
   * @default 1
   */
  attempt?: number;
  /** What the handler gets as its signal; by default, one that is never aborted. */
  signal?: AbortSignal;
}

/**
 * Gives one emission to one handler, as the pipeline would: if its pattern takes the name and it is interested, in a unit of work
 * of its own, on a host that is built for it when that is request-scoped. Without queue, retries and time limit; what it emits is
 * given back and goes nowhere.
 *
 * ```ts
 * const outcome = await runHandler(app, SearchIndexHandler, 'index', createEmission('order.created', order));
 * expect(outcome).toEqual({ outcome: 'processed', result: undefined });
 * expect(outcome.emitted).toMatchObject([{ name: 'order.indexed' }]);
 * ```
 *
 * @throws what the handler throws, and what its `interested` throws
 * @throws TestingError when the application has no such handler, naming those it has
 */
export async function runHandler<T extends object, M extends MethodOf<T>>(
  app: INestApplicationContext,
  type: Type<T>,
  method: M,
  emission: Emission<any>,
  options: RunHandlerOptions = {},
): Promise<HandlerOutcome<ResultOf<T, M>>> {
  if (typeof emission?.name !== 'string') {
    throw new TestingError(
      `runHandler takes an application, a class, a method and an emission, but got ${quote(emission)}. Make one: ` +
        `createEmission('order.created', order).`,
    );
  }
  const found = find(app, type, method, options.id).find((each) => takes(each, emission));
  if (found === undefined) return outcomeOf({ outcome: 'not-interested' }, []);
  const { id, host } = found;
  const handle = host.bound === undefined ? await host.build(emission) : host.bound.handle;
  let result: unknown;
  const remembering: EmissionHandler<never> = async (...given) => (result = await handle(...given));
  const call = {
    attempt: options.attempt ?? 1,
    signal: options.signal ?? new AbortController().signal,
    consumer: id,
  };
  const emitted: Emission[] = [];
  const bound = { handle: remembering };
  const invoker = app.get(HandlerInvoker, { strict: false });
  const { transact } = invoker;
  const called: Pick<Handler, 'name' | 'host' | 'bound' | 'transact'> = {
    name: id,
    host,
    bound,
    transact,
  };
  await invoker.invoke(called as Handler, emission, call, (emissions) => {
    for (const each of emissions) emitted.push(each);
  });
  if (isIgnored(result)) return outcomeOf({ outcome: 'ignored' }, emitted);
  return outcomeOf({ outcome: 'processed', result: result as ResultOf<T, M> }, emitted);
}

function takes({ pattern, options: { interested } }: FoundHandler, emission: Emission): boolean {
  if (!new Pattern(pattern).matches(emission.name)) return false;
  return isInterested({ deliver: () => {}, ...(interested && { interested }) }, emission);
}

function outcomeOf<R>(
  outcome: { outcome: 'processed'; result: R } | { outcome: 'ignored' | 'not-interested' },
  emitted: readonly Emission[],
): HandlerOutcome<R> {
  return Object.defineProperty(outcome, 'emitted', { value: emitted }) as HandlerOutcome<R>;
}

function find(
  app: INestApplicationContext,
  type: Type<object>,
  method: string,
  id: string | undefined,
): FoundHandler[] {
  if (typeof type !== 'function') {
    throw new TestingError(
      `runHandler takes (app, Class, 'method', emission), but got ${quote(type)} for the class.`,
    );
  }
  const all = explorerOf(app).explore();
  const ofClass = all.filter(({ host }) => isOf(host.method?.of, type));
  const found = ofClass
    .filter(({ host }) => host.method?.name === method)
    .filter((handler) => id === undefined || handler.id === id);
  if (found.length > 0) return found;
  throw new TestingError(
    `There is no handler ${type.name}.${method}${said(id)}: ${why(type, method, ofClass, all)}`,
  );
}

function said(id: string | undefined): string {
  return id === undefined ? '' : ` with the id '${id}'`;
}

function why(
  type: Type<object>,
  method: string,
  ofClass: readonly FoundHandler[],
  all: readonly FoundHandler[],
): string {
  const names = (handlers: readonly FoundHandler[]): string =>
    [...new Set(handlers.map(({ id }) => `'${id}'`))].join(', ') || 'none';
  if (ofClass.length > 0) return `its handlers are ${names(ofClass)}.`;
  const prototype = type.prototype as Record<string, unknown> | undefined;
  if (typeof prototype?.[method] !== 'function') return `the class has no method ${method}.`;
  return (
    `${type.name} is no provider or controller of the application, or has no method with @OnEmission. ` +
    `The handlers of the application are ${names(all)}.`
  );
}

/** A request-scoped host is known by a class of its own making; a provider may be a subclass. */
function isOf(found: Function | undefined, type: Function): boolean {
  return found === type || (found !== undefined && found.prototype instanceof type);
}

function explorerOf(app: INestApplicationContext): HandlerExplorer {
  try {
    return app.get(HandlerExplorer, { strict: false });
  } catch (error) {
    throw new TestingError(
      'The application does not import EmissionsModule.forRoot(…), so nothing is a handler in it. Import it, or, in a test of ' +
        'single providers, emissionsTestingModule().',
      { cause: error },
    );
  }
}
