/**
 * The root of every error this package throws: catch it to tell ours from yours.
 *
 * `code` is stable across releases (`EMISSIONS_…`); the message says who failed, what it got and how to mend it, and may
 * be reworded at any time.
 */
export class EmissionsError extends Error {
  constructor(
    /** Stable, machine-readable name of what went wrong, for example `EMISSIONS_PIPELINE_FULL`. */
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}
