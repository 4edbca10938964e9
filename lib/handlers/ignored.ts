/**
 * What a handler returns to say that it did nothing: the emission counts as ignored, and what the handler emitted is
 * discarded.
 */
export const IGNORED: unique symbol = Symbol('nestjs-emissions:ignored');

/** Whether a handler returned that. Its type is asked first: V8 makes a call of comparing anything at all with a symbol. */
export function isIgnored(result: unknown): boolean {
  return typeof result === 'symbol' && result === IGNORED;
}
