import type { DynamicModule, FactoryProvider, Provider } from '@nestjs/common';
import { ConfigurationError } from './emission.errors.js';
import { quote } from './quote.js';
import { RefusedModule } from './refused.module.js';

// What all modules of the package check alike; on this floor, as each of them may look down to it.

/** Where options can come from. */
const FACTORIES = ['useFactory', 'useClass', 'useExisting'] as const;
const LISTS = ['imports', 'inject', 'provideInjectionTokensFrom'] as const;

/** Options that are made when the application starts. */
type MadeOptions = {
  readonly [F in (typeof FACTORIES)[number] | (typeof LISTS)[number]]?: unknown;
};

/** @throws ConfigurationError when they are no options at all, with the method they were given to, and what to write */
export function checkOptions<T extends object>(method: string, options: T, advice = ''): T {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return options;
  const refusal = `${method} takes an object of options, but got ${quote(options)}.`;
  throw new ConfigurationError(advice === '' ? refusal : `${refusal} ${advice}`);
}

/** The `forRootAsync` of one module. */
export interface AsyncOptionsOf {
  /** For people. */
  readonly method: string;
  /** What may stand beside the factory in this module. */
  readonly own?: readonly string[];
  /** What the options are injected by. */
  readonly token: string | symbol;
  /** The method that a class of options has. */
  readonly makes: string;
}

/**
 * Makes a module of options that are made when the application starts.
 *
 * @returns one that refuses to start, by name, where the options are wrong or a class of options lacks its method
 */
export function asyncModule<T extends MadeOptions>(
  of: AsyncOptionsOf,
  options: T,
  make: (options: T) => DynamicModule,
): DynamicModule {
  return RefusedModule.unless(() => {
    const definition = make(checkAsyncOptions(of.method, options, of.own));
    const isMade = (each: Provider): each is FactoryProvider =>
      'useFactory' in each && each.provide === of.token && !isGiven(options.useFactory);
    return {
      ...definition,
      providers: (definition.providers ?? []).map((each) =>
        isMade(each) ? { ...each, useFactory: madeBy(of, each.useFactory) } : each,
      ),
    };
  });
}

/** Nest asks the class for its options without a look whether it has the method. */
function madeBy({ method, makes }: AsyncOptionsOf, ask: (maker: object) => unknown) {
  return (maker: Record<string, unknown>): unknown => {
    if (typeof maker?.[makes] === 'function') return ask(maker);
    throw new ConfigurationError(
      `${method} asks ${maker?.constructor?.name ?? quote(maker)} for options with ${makes}(), and it has no such method.`,
    );
  };
}

/**
 * What a `forRootAsync` takes: something that makes the options, and what stands beside it.
 *
 * @param method for people
 * @param own what may stand beside it in this module
 * @throws ConfigurationError when something else stands there, or what makes the options is missing, there twice, or wrong
 */
export function checkAsyncOptions<T extends MadeOptions>(
  method: string,
  options: T,
  own: readonly string[] = [],
): T {
  const all = [...FACTORIES, ...LISTS, ...own].sort();
  const unknown = Object.entries(checkOptions(method, options)).find(
    ([key, value]) => value !== undefined && !all.includes(key),
  );
  if (unknown !== undefined) {
    throw new ConfigurationError(
      `${method} has no option "${unknown[0]}" beside the factory; return it from there, if the module has it. Beside it: ${all.join(', ')}.`,
    );
  }
  const list = LISTS.find((key) => !Array.isArray(options[key] ?? []));
  if (list !== undefined)
    throw new ConfigurationError(
      `${method} takes an array as ${list}, but got ${quote(options[list])}.`,
    );
  const makers = FACTORIES.filter((name) => isGiven(options[name]));
  if (makers.length !== 1) {
    throw new ConfigurationError(
      `${method} takes exactly one of ${FACTORIES.join(', ')}, but got ${makers.length === 0 ? 'none' : makers.join(' and ')}.`,
    );
  }
  const [maker] = makers as [(typeof FACTORIES)[number]];
  const { is, takes } = RULES[maker];
  if (is(options[maker])) return options;
  throw new ConfigurationError(
    `${method} takes ${takes} as ${maker}, but got ${quote(options[maker])}.`,
  );
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Whether it can only be called with `new`; a method may be named `class` too. */
function isClass(value: unknown): boolean {
  return (
    typeof value === 'function' &&
    /^class(?:\s+[^\s(]|\s*\{)/.test(Function.prototype.toString.call(value))
  );
}

const RULES = {
  useFactory: {
    is: (value: unknown) => typeof value === 'function' && !isClass(value),
    takes: 'a function (a class: useClass)',
  },
  useClass: {
    // Arrow functions and methods have none.
    is: (value: unknown) => typeof value === 'function' && value.prototype !== undefined,
    takes: 'a class (a function: useFactory)',
  },
  useExisting: {
    is: (value: unknown) =>
      typeof value === 'function' ||
      typeof value === 'symbol' ||
      (typeof value === 'string' && value !== ''),
    takes: 'the token of a provider: a class, a symbol or a text',
  },
};
