import { AsyncResource } from 'node:async_hooks';

/**
 * Node's own defaults. Without options it reads them from an object without a prototype, which V8 looks up anew each time: half
 * of what a resource costs.
 */
const AS_USUAL = { triggerAsyncId: undefined, requireManualDestroy: false };

/** Keeps the async context of whoever asks, for work that is to run there later, or is to change nothing but a copy of it. */
export function asyncScope(type: string): AsyncResource {
  // Node takes it for left out, the types do not.
  return new AsyncResource(type, AS_USUAL as object);
}
