/**
 * What a handler returns to say that it did nothing: the emission counts as ignored, and what the handler emitted is
 * discarded.
 */
export const IGNORED: unique symbol = Symbol('nestjs-emissions:ignored');
