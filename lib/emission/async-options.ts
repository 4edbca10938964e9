import { ConfigurationError } from './emission.errors.js';
import { quote } from './quote.js';

/** Where options can come from. */
const FACTORIES = ['useFactory', 'useClass', 'useExisting'] as const;
const BESIDE = ['imports', 'inject', 'provideInjectionTokensFrom'];

/** Options that are made when the application starts, by one of these. */
type MadeOptions = { readonly [F in (typeof FACTORIES)[number]]?: unknown };

/** @throws ConfigurationError when they are no options at all, with the method they were given to, and what to write */
export function checkOptions<T extends object>(method: string, options: T, advice?: string): T {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return options;
  throw new ConfigurationError(
    [`${method} takes an object of options, but got ${quote(options)}.`, advice]
      .join(' ')
      .trimEnd(),
  );
}

/**
 * What a `forRootAsync` takes: something that makes the options, and what stands beside it.
 *
 * @param method for people
 * @param own what may stand beside it in this module
 * @throws ConfigurationError when something stands there that belongs into the factory, or there is no factory, or several
 */
export function checkAsyncOptions<T extends MadeOptions>(
  method: string,
  options: T,
  own: readonly string[] = [],
): T {
  const all = [...FACTORIES, ...BESIDE, ...own].sort();
  const unknown = Object.keys(checkOptions(method, options)).find((key) => !all.includes(key));
  if (unknown !== undefined) {
    throw new ConfigurationError(
      `${method} has no option "${unknown}" beside the factory; return it from there. It has: ${all.join(', ')}.`,
    );
  }
  const given = FACTORIES.filter((key) => options[key] !== undefined);
  if (given.length !== 1) {
    throw new ConfigurationError(
      `${method} takes exactly one of ${FACTORIES.join(', ')}, but got ${given.length === 0 ? 'none' : given.join(' and ')}.`,
    );
  }
  const [factory] = given as [(typeof FACTORIES)[number]];
  if (factory === 'useExisting' || typeof options[factory] === 'function') return options;
  throw new ConfigurationError(
    `${method} takes ${factory === 'useClass' ? 'a class' : 'a function'} as ${factory}, but got ${quote(options[factory])}.`,
  );
}
