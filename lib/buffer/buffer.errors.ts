import { EmissionsError } from '../emission/emissions.error.js';

const HOW_IT_ENDED: Readonly<Record<string, string>> = {
  open: 'the buffer around its own had ended',
  committing: 'its buffer had begun to commit',
  committed: 'its buffer was committed',
  terminated: 'its buffer was terminated',
};

/** `start()` was called while a buffer is active; that one is untouched. */
export class BufferAlreadyStartedError extends EmissionsError {
  constructor() {
    super(
      'EMISSIONS_BUFFER_ALREADY_STARTED',
      'A buffer is active already. Emit into it, or use run(), which nests.',
    );
  }
}

/** `commit()` or `flush()` was called, or, with `unbuffered: 'throw'`, `emit()`, while no buffer is active. */
export class BufferNotStartedError extends EmissionsError {
  /** @param state how the buffer stands, where there is one */
  constructor(verb: string, state?: string) {
    super(
      'EMISSIONS_BUFFER_NOT_STARTED',
      state === undefined
        ? `${verb} needs an active buffer and there is none. Put EmissionsInterceptor on the route, or wrap the work in ` +
            `emissions.run(() => …) or @Buffered(). Read-only routes (http.skipMethods) have none unless they are marked @Buffered().`
        : `${verb} needs an active buffer, but came after ${HOW_IT_ENDED[state] ?? 'its buffer had ended'}. Begin another one: start(), ` +
            `or emissions.run(() => …) around the work.`,
    );
  }
}

/** With `unbuffered: 'throw'`: an `emit()` came after its buffer had begun to commit or was terminated. */
export class BufferClosedError extends EmissionsError {
  constructor(emission: string, state: string) {
    super(
      'EMISSIONS_BUFFER_CLOSED',
      `'${emission}' was emitted after ${HOW_IT_ENDED[state] ?? 'its buffer had ended'}. Await the work that emits before the ` +
        `unit of work ends, or wrap it in a run() of its own.`,
    );
  }
}

/** A buffer holds as many emissions as it may; the one at hand was not taken. */
export class BufferFullError extends EmissionsError {
  constructor(capacity: number) {
    super(
      'EMISSIONS_BUFFER_FULL',
      `The buffer holds ${capacity} emissions (option buffer.capacity). flush() now and then, or raise it.`,
    );
  }
}
