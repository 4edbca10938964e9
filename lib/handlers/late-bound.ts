import type { BoundHandler, EmissionHandler } from './handler.js';

/**
 * Calls a method by its name, which is looked up each time: it may be replaced, as tests do.
 *
 * The name is written into code that is generated for it. With one function for all handlers, V8 has to look a name up anew in
 * every call, which takes a twentieth of it. Entering an async context as well in code of each handler's own takes another tenth
 * off ten that share one: V8 inlines `runInAsyncScope` there, for which there is no place in what calls all handlers. Where code
 * cannot be generated (`--disallow-code-generation-from-strings`), there is that one function.
 */
export function lateBound(owner: object, method: string): BoundHandler {
  try {
    const name = JSON.stringify(method);
    // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- the name is a string literal in it, and nothing else
    const make = new Function(
      'owner',
      `'use strict';
const call = (emission, context) => owner[${name}](emission.payload, emission, context);
return {
  handle: (payload, emission, context) => owner[${name}](payload, emission, context),
  handleIn: (scope, emission, context) => scope.runInAsyncScope(call, undefined, emission, context),
};
//# sourceURL=nestjs-emissions:handler`,
    ) as (of: object) => BoundHandler;
    return make(owner);
  } catch {
    const target = owner as Record<string, EmissionHandler<never>>;
    return { handle: (payload, emission, context) => target[method]!(payload, emission, context) };
  }
}
