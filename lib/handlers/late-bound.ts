import type { EmissionHandler } from './handler.js';

/**
 * A function that calls a method by its name, which is looked up each time: it may be replaced, as tests do.
 *
 * The name is written into code that is generated for it. With one function for all handlers, V8 has to look a name up anew in
 * every call, which takes a twentieth of it. Where code cannot be generated (`--disallow-code-generation-from-strings`), there is
 * that one function.
 */
export function lateBound(owner: object, method: string): EmissionHandler<never> {
  try {
    // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- the name is a string literal in it, and nothing else
    const make = new Function(
      'owner',
      `'use strict'; return (payload, emission, context) => owner[${JSON.stringify(method)}](payload, emission, context);
//# sourceURL=nestjs-emissions:handler`,
    ) as (of: object) => EmissionHandler<never>;
    return make(owner);
  } catch {
    const target = owner as Record<string, EmissionHandler<never>>;
    return (payload, emission, context) => target[method]!(payload, emission, context);
  }
}
