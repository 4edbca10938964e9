/** How the clients of a gateway do, in this process. */
export interface LiveReport {
  /** The sockets and streams that are connected. */
  readonly clients: number;
  /** How many were disconnected, ever, because they did not read what they were sent. */
  readonly slow: number;
  /** The same within the last minute. */
  readonly slowLately: number;
}

/** What a provider implements that has clients who follow channels; looked for on its class. */
export interface ReportsLive {
  readonly liveReport: LiveReport;
}
