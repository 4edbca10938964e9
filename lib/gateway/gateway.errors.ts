import { EmissionsError } from '../emission/emissions.error.js';

/** A client asked for something that is no channel, or asked in a malformed way. It is told so and stays connected. */
export class ChannelError extends EmissionsError {
  constructor(message: string) {
    super('EMISSIONS_CHANNEL_INVALID', message);
  }
}

/** A client was not let into a channel. */
export class ChannelDeniedError extends EmissionsError {
  constructor(channel: string, reason: string, options?: ErrorOptions) {
    super('EMISSIONS_CHANNEL_DENIED', `The channel '${channel}' is denied: ${reason}`, options);
  }
}

/** A connection was refused; the client gets `connect_error` with this message and `data.code`. */
export class ConnectionRefusedError extends EmissionsError {
  /** What socket.io sends along. */
  readonly data: { readonly code: string };

  constructor(reason: string, options?: ErrorOptions) {
    super('EMISSIONS_CONNECTION_REFUSED', `The connection is refused: ${reason}`, options);
    this.data = { code: this.code };
  }
}

/** A client asked more than it may in a short time. It is told so; one that goes on is disconnected. */
export class TooManyRequestsError extends EmissionsError {
  constructor(perSecond: number) {
    super(
      'EMISSIONS_TOO_MANY_REQUESTS',
      `This connection asked too much, or too much that was malformed: ${perSecond} requests a second are served for long ` +
        `(option maxRequestsPerSecond). Wait before asking again.`,
    );
  }
}
