import { Injectable, Logger } from '@nestjs/common';
import { assertName } from './emission/emission-name.js';
import { ConfigurationError, PayloadError } from './emission/emission.errors.js';
import {
  checkEmitOptions,
  checkMetadata,
  EmissionFactory,
  type EmitOptions,
} from './emission/emission.factory.js';
import { quote } from './emission/quote.js';
import { Emitter } from './emitter.js';
import { notWork } from './not-work.js';
import { isThrown, loggable } from './emission/thrown.js';

/** What `record` emits, and how. */
export interface RecordOptions<T> extends EmitOptions {
  /** The name emitted with the result of the work. */
  success: string;
  /** The name emitted with the error, when the work throws or its result is an `Error`. */
  failure?: string;
  metadata?: Readonly<Record<string, unknown>>;
  /** Makes the payload of `success` from the result; default: the result. */
  payload?: (result: T) => unknown;
}

/** Runs work and emits what came of it. */
@Injectable()
export class WorkReporter {
  readonly #logger = new Logger('Emissions');

  constructor(
    private readonly emitter: Emitter,
    private readonly factory: EmissionFactory,
  ) {}

  /** As `Emissions.record`. */
  async record<T>(options: RecordOptions<T>, work: () => T | Promise<T>): Promise<T> {
    checkRecord(options, work);
    const { success, failure, metadata, payload, ...emitOptions } = options;
    // The work is not done for nothing: what emit would refuse afterwards is refused before.
    checkEmitOptions(emitOptions, 'record', ['success', 'failure', 'metadata', 'payload']);
    if (metadata !== undefined) checkMetadata(metadata);
    assertName(success);
    if (failure !== undefined) assertName(failure);
    const initializedAt = this.factory.clock.now();
    let result: T;
    try {
      result = await work();
    } catch (error) {
      if (failure !== undefined)
        this.#emitFailure(failure, error, metadata, emitOptions, initializedAt);
      throw error;
    }
    if (isThrown(result, Error) && failure !== undefined) {
      this.#emitFailure(failure, result, metadata, emitOptions, initializedAt);
    } else {
      this.emitter.emit(
        success,
        payload === undefined ? result : payload(result),
        metadata,
        emitOptions,
        initializedAt,
      );
    }
    return result;
  }

  #emitFailure(
    name: string,
    error: unknown,
    metadata: Readonly<Record<string, unknown>> | undefined,
    options: EmitOptions,
    initializedAt: number,
  ): void {
    try {
      try {
        this.emitter.emit(name, error, metadata, options, initializedAt);
      } catch (refusal) {
        if (!isThrown(refusal, PayloadError)) throw refusal;
        // Errors of HTTP clients and drivers hold sockets and requests.
        this.emitter.emit(name, essenceOf(error), metadata, options, initializedAt);
      }
    } catch (refusal) {
      this.#logger.error(
        `'${name}' could not be emitted; the error it reports goes to the caller.`,
        loggable(refusal),
      );
    }
  }
}

/** Of an error, what can always be copied. */
function essenceOf(error: unknown): Error {
  const { name, message, stack, code } = Object(error) as NodeJS.ErrnoException;
  const essence = new Error(typeof message === 'string' ? message : quote(error));
  if (typeof name === 'string') essence.name = name;
  if (typeof stack === 'string') essence.stack = stack;
  return typeof code === 'string' ? Object.assign(essence, { code }) : essence;
}

/** @throws ConfigurationError when `record` could not do what it is asked for */
function checkRecord(options: RecordOptions<never>, work: unknown): void {
  const line = "record({ success: 'import.done' }, async () => { … })";
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError(
      `record takes an object of options, but got ${quote(options)}. Write: emissions.${line}.`,
    );
  }
  if (typeof work !== 'function') throw notWork(line, work);
  if (options.payload !== undefined && typeof options.payload !== 'function') {
    throw new ConfigurationError(
      `record.payload takes a function, but got ${quote(options.payload)}. Write: (result) => …, which makes the payload of the result.`,
    );
  }
}
