import { EmissionsError } from '../emission/emissions.error.js';

/** A commit did not fit into a consumer's queue. Nothing of it was handed over; HTTP answers 503, without the message. */
export class PipelineFullError extends EmissionsError {
  /** Read by Nest's exception filter: the service is overloaded, and the client may try again. */
  readonly statusCode = 503;
  readonly status = 503;
  /** What the message says is for developers: it is logged, and not sent. */
  readonly expose = false;

  constructor(
    /** Whose queue was full. */
    readonly consumer: string,
    message: string,
  ) {
    super('EMISSIONS_PIPELINE_FULL', message);
  }
}

/** A commit came after the application had begun to close, or waited for room when it did. HTTP answers 503, without the message. */
export class PipelineClosedError extends EmissionsError {
  readonly statusCode = 503;
  readonly status = 503;
  readonly expose = false;

  constructor() {
    super(
      'EMISSIONS_PIPELINE_CLOSED',
      'The application is closing: nothing more is handed over. What was in this commit was not delivered.',
    );
  }
}

/** A call of `deliver`, or of a handler, exceeded `timeoutMs`. Its signal is aborted with this error as the reason. */
export class DeliveryTimeoutError extends EmissionsError {
  constructor(consumer: string, timeoutMs: number) {
    super(
      'EMISSIONS_DELIVERY_TIMEOUT',
      `${consumer} did not settle within ${timeoutMs} ms (option timeoutMs); its signal was aborted.`,
    );
  }
}

/** Why a signal is aborted when the application closes and the time to drain is over. */
export class ShutdownError extends EmissionsError {
  constructor() {
    super(
      'EMISSIONS_SHUTDOWN',
      'The application is closing and the time to drain (drainTimeoutMs) is over.',
    );
  }
}

/** `settled()` gave up: the message names who is still busy, and with how many. */
export class SettleTimeoutError extends EmissionsError {
  constructor(timeoutMs: number, busy: string) {
    super(
      'EMISSIONS_SETTLE_TIMEOUT',
      `Not settled within ${timeoutMs} ms: ${busy}. Pass { timeoutMs } to wait longer.`,
    );
  }
}

/** Two adapters, or two handlers, go by one name; or one that is to be removed is unknown. */
export class ConsumerNameError extends EmissionsError {
  constructor(message: string) {
    super('EMISSIONS_CONSUMER_NAME', message);
  }
}
