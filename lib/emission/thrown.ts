/**
 * Whether what was thrown is of a class. Anything can be thrown, also a proxy that was revoked, such as a draft of immer's after its
 * time: that cannot even be asked.
 */
export function isThrown<E extends object>(
  error: unknown,
  type: abstract new (...given: never[]) => E,
): error is E {
  try {
    return error instanceof type;
  } catch {
    return false;
  }
}

/** Where an error comes from, if it is one, and says. */
export function stackOf(error: unknown): string | undefined {
  try {
    return error instanceof Error ? error.stack : undefined;
  } catch {
    return undefined;
  }
}

/** What a log is given of it beside the message: the stack of an error, else what it is. */
export function loggable(error: unknown): unknown {
  try {
    return error instanceof Error ? error.stack : error;
  } catch {
    return undefined;
  }
}
