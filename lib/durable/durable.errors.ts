import { EmissionsError } from '../emission/emissions.error.js';

/**
 * Throw it from a durable handler when trying again cannot help: the delivery goes straight to the dead, whatever attempts
 * are left.
 */
export class NonRetryableError extends EmissionsError {
  constructor(message: string, options?: ErrorOptions) {
    super('EMISSIONS_NON_RETRYABLE', message, options);
  }
}

/**
 * A delivery belongs to somebody else by now: its worker was taken for dead (it did not answer for `heartbeatMs`, or its event
 * loop stood still), and another one has it. What this call did is not recorded, and what it emitted is discarded.
 */
export class DeliveryLostError extends EmissionsError {
  constructor(handler: string, id: string, attempt: number) {
    super(
      'EMISSIONS_DELIVERY_LOST',
      `Attempt ${attempt} of ${handler} on ${id} was taken over by another worker: this one did not answer in time. If its event ` +
        `loop is kept busy for seconds, give the work to a worker thread, or raise the option heartbeatMs in all processes.`,
    );
  }
}

/** Something cannot be stored, or cannot be made out of what is stored. */
export class DeliveryDataError extends EmissionsError {
  constructor(
    /** Where the culprit sits, from the emission on: `payload/items/2`. */
    readonly path: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(
      'EMISSIONS_DELIVERY_DATA',
      `${path} cannot be stored for durable handlers: ${reason}.`,
      options,
    );
  }
}

/**
 * What is stored needs a class that this process does not know, or not in that version; the delivery waits for a process that
 * does.
 */
export class UnknownTypeError extends EmissionsError {
  constructor(
    readonly type: string,
    versions?: { readonly stored: number; readonly known: number },
  ) {
    super(
      'EMISSIONS_UNKNOWN_TYPE',
      `A delivery holds an instance of the class of '${type}'` +
        (versions === undefined
          ? `, which this application does not know. Name the class in a handler's pattern (@OnEmission(TheClass)), or list it: ` +
            `EmissionsDurableModule.forRoot({ types: [TheClass] }).`
          : ` in version ${versions.stored}, and this application has version ${versions.known}` +
            (versions.stored > versions.known
              ? ': it was stored by a newer one.'
              : `. Say how the one is made of the other: @EmissionType('${type}', { version: ${versions.known}, upcast: (stored, version) => ({ … }) }).`)),
    );
  }
}

/** The deliveries of a commit could not be stored; the commit has failed, and nothing of it is delivered. */
export class DeliveriesNotStoredError extends EmissionsError {
  constructor(reason: string, options?: ErrorOptions) {
    super('EMISSIONS_NOT_STORED', `Durable deliveries could not be stored: ${reason}`, options);
  }
}

/** The database has not answered in time. */
export class NoAnswerError extends EmissionsError {
  constructor(ms: number) {
    super(
      'EMISSIONS_NO_ANSWER',
      `The database has not answered within ${ms} ms. If it is there and only slow, raise the option answerTimeoutMs.`,
    );
  }
}

/** Somebody asked for a handler that has no deliveries here. */
export class UnknownHandlerError extends EmissionsError {
  constructor(handler: string, known: readonly string[]) {
    super(
      'EMISSIONS_UNKNOWN_HANDLER',
      `There is no durable handler '${handler}'. There ${known.length === 0 ? 'are none' : `are: ${known.join(', ')}`}.`,
    );
  }
}

/** The tables of durable deliveries are not there, or of another version, and are not to be made or migrated by this process. */
export class TablesNotReadyError extends EmissionsError {
  constructor(schema: string, version: number | undefined) {
    super(
      'EMISSIONS_TABLES_NOT_READY',
      version === undefined
        ? `The schema '${schema}' has no tables for durable deliveries. If they are in another, name that; else make them, as a user who may: ` +
            `npx nestjs-emissions migrate --schema ${schema}`
        : `The tables of durable deliveries in the schema '${schema}' are of version ${version}, and the pg-boss that is installed here works with ` +
            `another. Migrate them, as a user who may: npx nestjs-emissions migrate --schema ${schema}. If they are newer, install the pg-boss ` +
            `that migrated them.`,
    );
  }
}

/** The tables are of the new version, and an index of it could not be built. */
export class TablesNotMigratedError extends EmissionsError {
  constructor(index: string, reason: string) {
    super(
      'EMISSIONS_TABLES_NOT_MIGRATED',
      `${index} could not be built: ${reason}. See to that, and migrate once more: it goes on there.`,
    );
  }
}

/**
 * The database could not be used as the application started: it is not there, does not let the user in, or refuses what is needed of
 * it. `cause` has its error.
 */
export class DatabaseUnavailableError extends EmissionsError {
  constructor(
    /** Where it was looked for: its name, host and port, and the option that says so; never the password. */
    readonly place: string,
    reason: string,
    mend: string,
    options?: ErrorOptions,
  ) {
    super(
      'EMISSIONS_DATABASE_UNAVAILABLE',
      `EmissionsDurableModule cannot use its database, ${place}: ${reason.replace(/\.$/, '')}. ${mend}`,
      options,
    );
  }
}
