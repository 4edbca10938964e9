/** A client of node-redis, as far as it is used. */
export interface NodeRedisClient {
  sendCommand(command: string[]): Promise<unknown>;
  duplicate(): NodeRedisSubscriber;
}

/** Its second connection. */
export interface NodeRedisSubscriber {
  connect(): Promise<unknown>;
  subscribe(
    channel: string,
    listener: (message: string, channel: string) => void,
  ): Promise<unknown>;
  unsubscribe(
    channel: string,
    listener: (message: string, channel: string) => void,
  ): Promise<unknown>;
  on(event: string, listener: (error: Error) => void): unknown;
  destroy(): void;
}

/** A client of ioredis, as far as it is used. */
export interface IoRedisClient {
  call(command: string, ...args: string[]): Promise<unknown>;
  duplicate(): IoRedisSubscriber;
}

/** Its second connection. */
export interface IoRedisSubscriber {
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: string, listener: (...args: any[]) => void): unknown;
  disconnect(): void;
}

/** A client of `redis` or of `ioredis`. */
export type RedisClient = NodeRedisClient | IoRedisClient;

/** What a connection tells. */
export interface RedisListener {
  message(channel: string, message: string): void;
  /** It is connected, for the first time or again. */
  ready(): void;
  error(error: unknown): void;
}

/** The same few verbs, whichever library it is. */
export interface RedisConnection {
  command(...command: string[]): Promise<unknown>;
  /** Opens a second connection for what is published. */
  listen(listener: RedisListener): Promise<void>;
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  /** Closes the second connection. */
  close(): void;
}

/** Whether something is a client of one of the two. */
export function isRedisClient(given: unknown): given is RedisClient {
  const { sendCommand, call, duplicate } = (given ?? {}) as Partial<Record<string, unknown>>;
  return (
    typeof duplicate === 'function' &&
    (typeof sendCommand === 'function' || typeof call === 'function')
  );
}

/** Gives the verbs to a client. */
export function redisConnection(client: RedisClient): RedisConnection {
  // A client of ioredis has a sendCommand too, which takes something else.
  return 'call' in client ? ofIoRedis(client) : ofNodeRedis(client);
}

function ofNodeRedis(client: NodeRedisClient): RedisConnection {
  let subscriber: NodeRedisSubscriber;
  let hear: Parameters<NodeRedisSubscriber['subscribe']>[1];
  return {
    command: (...command) => client.sendCommand(command),
    async listen(listener) {
      hear = (message, channel) => listener.message(channel, message);
      subscriber = client.duplicate();
      subscriber.on('error', (error) => listener.error(error));
      subscriber.on('ready', () => listener.ready());
      await subscriber.connect();
    },
    async subscribe(channel) {
      await subscriber.subscribe(channel, hear);
    },
    async unsubscribe(channel) {
      // Without the listener, who subscribes before the answer is there would be unsubscribed with it.
      await subscriber.unsubscribe(channel, hear);
    },
    close: () => subscriber?.destroy(),
  };
}

function ofIoRedis(client: IoRedisClient): RedisConnection {
  let subscriber: IoRedisSubscriber;
  return {
    command: (name, ...args) => client.call(name!, ...args),
    async listen(listener) {
      subscriber = client.duplicate();
      subscriber.on('error', (error: unknown) => listener.error(error));
      subscriber.on('ready', () => listener.ready());
      subscriber.on('message', (channel: string, message: string) =>
        listener.message(channel, message),
      );
    },
    async subscribe(channel) {
      await subscriber.subscribe(channel);
    },
    async unsubscribe(channel) {
      await subscriber.unsubscribe(channel);
    },
    close: () => subscriber?.disconnect(),
  };
}
