import { Transport, type ClientOptions, type ClientProxy } from '@nestjs/microservices';

/**
 * The same transport, which finds out when its connection has died without a word: by default, that of Redis never does, that of
 * NATS after minutes, and that of RabbitMQ waits for ever when it connects again. What its options say about that stays.
 *
 * @param timeoutMs how long an answer may take, in milliseconds; 0: for ever
 * @param ended aborted when there are to be no connections any more
 */
export function watchful(
  given: ClientOptions,
  timeoutMs: number,
  ended: AbortSignal,
): ClientOptions {
  const { transport, options = {} } = given as {
    transport?: Transport;
    options?: Record<string, object | undefined>;
  };
  const silence = timeoutMs === 0 ? undefined : timeoutMs;
  const watching = (more: object): ClientOptions =>
    ({ transport, options: { ...more, ...options } }) as ClientOptions;
  if (transport === Transport.RMQ) {
    const { socketOptions = {} } = options as { socketOptions?: { connectionOptions?: object } };
    const connectionOptions = {
      timeout: silence,
      signal: ended,
      ...socketOptions.connectionOptions,
    };
    return {
      transport,
      options: { ...options, socketOptions: { ...socketOptions, connectionOptions } },
    } as ClientOptions;
  }
  if (silence === undefined) return given;
  if (transport === Transport.REDIS) return watching({ socketTimeout: silence });
  return transport === Transport.NATS
    ? watching({ pingInterval: Math.ceil(silence / 2), maxPingOut: 2 })
    : given;
}

/** What ends connections of the clients' libraries. */
interface Connection {
  /** Of ioredis: at once. */
  disconnect?(): void;
  /** Of the others: no more attempts to connect. */
  close?(): unknown;
}

/** Ends the connections of a client that does not close. */
export function cutOff(client: ClientProxy): void {
  for (const part of partsOf(client)) {
    if (part.disconnect !== undefined) part.disconnect();
    else Promise.resolve(part.close?.()).catch(() => {});
  }
}

function partsOf(client: ClientProxy): Connection[] {
  try {
    return [client.unwrap<Connection | Connection[] | null>() ?? []].flat();
  } catch {
    // It has none, and says so.
    return [];
  }
}
