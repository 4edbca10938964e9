/** A unit of work got a buffer. */
export interface BufferStarted {
  count: 1;
}
/** A buffer handed over what it held. */
export interface BufferHandedOver {
  /** How many emissions. */
  count: number;
  /** From when the hand-over began to when every consumer had it queued. */
  durationMs: number;
}
/** A buffer, or what a nested `run` added to it (`savepoint`), was discarded. */
export interface BufferTerminated {
  count: number;
  /** Whether the buffer around it lives on; sent only when there was something to discard. */
  savepoint: boolean;
  /** Why the commit failed; absent when the unit of work failed or asked for it. */
  error?: unknown;
}
/** Emissions that will not be delivered, to anybody or to one consumer. */
export interface EmissionDropped {
  /** `unbuffered`: no buffer was active · `buffer-closed`: it came after commit or terminate began · `buffer-full` ·
   * `overflow`: a consumer's queue shed it · `removed`: its consumer was taken away · `shutdown`: the time to drain was
   * over · `no-tenant`: a channel needs one · `foreign-tenant`: the gateway is anonymous ·
   * `unmapped`: an adapter has no destination for it. */
  reason:
    | 'unbuffered'
    | 'buffer-closed'
    | 'buffer-full'
    | 'overflow'
    | 'removed'
    | 'shutdown'
    | 'no-tenant'
    | 'foreign-tenant'
    | 'unmapped';
  /** The name of the (first) emission. */
  emission: string;
  count: number;
  /** Whose queue it was in, when it was in one. */
  consumer?: string;
}
/** An emission outlived its `ttlMs` before a consumer got to it. */
export interface EmissionExpired {
  emission: string;
  count: 1;
  consumer: string;
}
/** An adapter took a batch. */
export interface AdapterDelivered {
  adapter: string;
  /** The name of the (first) emission. */
  emission: string;
  count: number;
  durationMs: number;
  attempt: number;
}
/** An adapter gave up on emissions, or on asking whether it is interested in one (`phase`). */
export interface AdapterFailed {
  adapter: string;
  phase: 'interested' | 'deliver';
  /** The name of the (first) emission. */
  emission: string;
  count: number;
  durationMs: number;
  attempt: number;
  error: unknown;
}
/** An adapter failed and will be tried again. */
export interface AdapterRetried extends AdapterFailed {
  /** The pause before the next try. */
  delayMs: number;
}
/** A handler returned. */
export interface HandlerSucceeded {
  handler: string;
  emission: string;
  count: 1;
  durationMs: number;
  attempt: number;
}
/** A handler gave up on an emission. */
export interface HandlerFailed {
  handler: string;
  phase: 'interested' | 'deliver';
  emission: string;
  count: number;
  durationMs: number;
  attempt: number;
  error: unknown;
}
/** A handler failed and will be tried again. */
export interface HandlerRetried extends HandlerFailed {
  delayMs: number;
}
/** A consumer's queue was full. */
export interface ConsumerOverflowed {
  consumer: string;
  policy: 'wait' | 'reject' | 'drop-oldest' | 'drop-newest';
  /** How many were shed, or, for `wait` and `reject`, refused. */
  count: number;
  capacity: number;
}
/** A commit waits for room in a consumer's queue. */
export interface ConsumerWaiting {
  consumer: string;
  /** How many emissions the commit holds for it. */
  count: number;
  capacity: number;
}
/** A chain of handlers grew deeper than `maxDepth` and was cut. */
export interface CascadeCut {
  emission: string;
  count: 1;
  depth: number;
  /** The names from the first cause to the one that was refused. */
  path: readonly string[];
}
/** A socket connected, with what `authenticate` found out. */
export interface GatewayConnected {
  socket: string;
  tenant: string | undefined;
  subject: string | undefined;
}
/** A socket was refused: `authenticate` threw, took too long or gave no tenant. */
export interface GatewayRefused {
  socket: string;
  error: unknown;
}
/** A socket follows a channel. */
export interface GatewaySubscribed {
  socket: string;
  tenant: string | undefined;
  channel: string;
}
/** A socket was not let into a channel, or sent something malformed. */
export interface GatewayDenied {
  socket: string;
  tenant: string | undefined;
  channel: string;
  error: unknown;
}

/** Somebody came back and asked for what it had missed, or followers lost something that nobody has any more. */
export interface GatewayRecovered {
  /** Absent when it concerns all followers of the tenant. */
  socket?: string;
  tenant: string;
  channel: string;
  /** Whether nothing is missing. */
  recovered: boolean;
  /** How many emissions were replayed. */
  count: number;
}
/** A client did not read what it was sent, and was disconnected. */
export interface GatewaySlow {
  socket: string;
  tenant: string;
  subject: string | undefined;
  /** How many frames waited for it. */
  count: number;
  /** How many may. */
  capacity: number;
}

/** Deliveries of a commit were stored for durable destinations. */
export interface DeliveryEnqueued {
  /** How many. */
  count: number;
  /** The name of the (first) emission. */
  emission: string;
  /** How long the database took; commits that were stored together took as long together. */
  durationMs: number;
}
/** What is said about one delivery. */
export interface DeliveryMessage {
  /** Whose it is: the durable handler or adapter. */
  consumer: string;
  emission: string;
  /** The id of the emission. */
  id: string;
  count: 1;
  attempt: number;
}
/** A delivery is done, and will not be worked on again. */
export interface DeliveryCompleted extends DeliveryMessage {
  /** From when it was stored until now. */
  waitedMs: number;
}
/** A delivery will not be tried again, and is kept. */
export interface DeliveryDead extends DeliveryMessage {
  error: unknown;
}
/** An attempt failed, or was taken over by another worker; there will be another one. */
export interface DeliveryFailed extends DeliveryDead {
  /** The pause before it. */
  delayMs: number;
}
/** Deliveries wait for a process that knows what this one does not. */
export interface DeliveryUnknown {
  /** `handler`: nobody here is called like it, found when the application starts · `type`: one of theirs holds an instance of a class, or
   * of a version of it, that is not known here. */
  reason: 'handler' | 'type';
  /** Whose they are. */
  consumer: string;
  count: number;
  /** The name of the class. */
  type?: string;
}

/** Every signal of this package: the channel's name and what is published there. */
export interface EmissionsChannels {
  'emissions:buffer:started': BufferStarted;
  'emissions:buffer:committed': BufferHandedOver;
  'emissions:buffer:flushed': BufferHandedOver;
  'emissions:buffer:terminated': BufferTerminated;
  'emissions:emission:dropped': EmissionDropped;
  'emissions:emission:expired': EmissionExpired;
  'emissions:adapter:delivered': AdapterDelivered;
  'emissions:adapter:failed': AdapterFailed;
  'emissions:adapter:retried': AdapterRetried;
  'emissions:handler:succeeded': HandlerSucceeded;
  'emissions:handler:failed': HandlerFailed;
  'emissions:handler:ignored': HandlerSucceeded;
  'emissions:handler:retried': HandlerRetried;
  'emissions:consumer:overflowed': ConsumerOverflowed;
  'emissions:consumer:waiting': ConsumerWaiting;
  'emissions:cascade:cut': CascadeCut;
  'emissions:delivery:enqueued': DeliveryEnqueued;
  'emissions:delivery:completed': DeliveryCompleted;
  'emissions:delivery:failed': DeliveryFailed;
  'emissions:delivery:dead': DeliveryDead;
  'emissions:delivery:unknown': DeliveryUnknown;
  'emissions:gateway:connected': GatewayConnected;
  'emissions:gateway:refused': GatewayRefused;
  'emissions:gateway:subscribed': GatewaySubscribed;
  'emissions:gateway:denied': GatewayDenied;
  'emissions:gateway:recovered': GatewayRecovered;
  'emissions:gateway:slow': GatewaySlow;
}

/** One of {@link EmissionsChannels}. */
export type EmissionsChannelName = keyof EmissionsChannels;

const NAMES = [
  'emissions:buffer:started',
  'emissions:buffer:committed',
  'emissions:buffer:flushed',
  'emissions:buffer:terminated',
  'emissions:emission:dropped',
  'emissions:emission:expired',
  'emissions:adapter:delivered',
  'emissions:adapter:failed',
  'emissions:adapter:retried',
  'emissions:handler:succeeded',
  'emissions:handler:failed',
  'emissions:handler:ignored',
  'emissions:handler:retried',
  'emissions:consumer:overflowed',
  'emissions:consumer:waiting',
  'emissions:cascade:cut',
  'emissions:delivery:enqueued',
  'emissions:delivery:completed',
  'emissions:delivery:failed',
  'emissions:delivery:dead',
  'emissions:delivery:unknown',
  'emissions:gateway:connected',
  'emissions:gateway:refused',
  'emissions:gateway:subscribed',
  'emissions:gateway:denied',
  'emissions:gateway:recovered',
  'emissions:gateway:slow',
] as const satisfies readonly EmissionsChannelName[];

/** The names of all channels. */
export const EMISSIONS_CHANNELS: readonly EmissionsChannelName[] = NAMES;
