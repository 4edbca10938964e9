import { EmissionsError } from '../emission/emissions.error.js';

/** Two handlers go by one id; found at start-up. */
export class DuplicateHandlerError extends EmissionsError {
  constructor(
    readonly id: string,
    first: string,
    second: string,
  ) {
    super(
      'EMISSIONS_DUPLICATE_HANDLER',
      first === second
        ? `The handler '${id}' is found twice in ${first}. Give one of its decorators an id of its own: @OnEmission(…, { id: '…' }).`
        : `Two handlers are named '${id}': one in ${first}, one in ${second}. If it is the same class provided twice, provide it in one ` +
            `module and export it; else give one of them an id of its own: @OnEmission(…, { id: '…' }).`,
    );
  }
}

/** A handler emitted what led back to it, deeper than `maxDepth`: the chain was cut here. */
export class CascadeDepthError extends EmissionsError {
  constructor(
    /** The names from the first cause to the emission that was refused. */
    readonly path: readonly string[],
    maxDepth: number,
  ) {
    super(
      'EMISSIONS_CASCADE_DEPTH',
      `A cascade is deeper than ${maxDepth} handlers and was cut: ${path.join(' → ')}. If it is no loop, raise the option maxDepth.`,
    );
  }
}

/** A handler emitted for another tenant than that of the emission it handles, without saying that it means to. */
export class CrossTenantEmissionError extends EmissionsError {
  constructor(emission: string, tenant: string | undefined, cause: string, causeTenant: string) {
    super(
      'EMISSIONS_CROSS_TENANT',
      `While handling '${cause}' of tenant '${causeTenant}', '${emission}' was emitted for ` +
        `${tenant === undefined ? 'no tenant' : `tenant '${tenant}'`}. If that is meant, say so: ` +
        `emit(name, payload, metadata, { tenant: '…', crossTenant: true }).`,
    );
  }
}
