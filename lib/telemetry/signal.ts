import { channel, type Channel } from 'node:diagnostics_channel';
import { ConfigurationError } from '../emission/emission.errors.js';
import { quote } from '../emission/quote.js';
import {
  EMISSIONS_CHANNELS,
  type EmissionsChannelName,
  type EmissionsChannels,
} from './channels.js';
import { guardListeners } from './guard-listeners.js';

type Channels = { readonly [N in EmissionsChannelName]: Channel };

const channels = Object.fromEntries(
  EMISSIONS_CHANNELS.map((name) => [name, guardListeners(channel(name))]),
) as unknown as Channels;

/** Tells whether anybody listens; ask before a message is put together on a busy path. */
export function hasListeners(name: EmissionsChannelName): boolean {
  return channels[name].hasSubscribers;
}

const delivered = channels['emissions:adapter:delivered'];
const adapterFailed = channels['emissions:adapter:failed'];
const adapterRetried = channels['emissions:adapter:retried'];
const succeeded = channels['emissions:handler:succeeded'];
const ignored = channels['emissions:handler:ignored'];
const handlerFailed = channels['emissions:handler:failed'];
const handlerRetried = channels['emissions:handler:retried'];
const overflowed = channels['emissions:consumer:overflowed'];
const dropped = channels['emissions:emission:dropped'];

/** As `hasListeners`, without looking anything up: for a queue that is full, and sheds with every commit. */
export function sheddingIsHeard(): boolean {
  return overflowed.hasSubscribers || dropped.hasSubscribers;
}

/** The same for calls of adapters, and how long they take. */
export function adaptersAreHeard(): boolean {
  return delivered.hasSubscribers || adapterFailed.hasSubscribers || adapterRetried.hasSubscribers;
}

/**
 * The same for calls of handlers. Written out: V8 looks at each function of a module anew, but not at its constants (9 of some 480
 * instructions a call).
 */
export function handlersAreHeard(): boolean {
  return (
    succeeded.hasSubscribers ||
    ignored.hasSubscribers ||
    handlerFailed.hasSubscribers ||
    handlerRetried.hasSubscribers
  );
}

/** The same for those of them that succeed, or have nothing to do. */
export function successIsHeard(): boolean {
  return succeeded.hasSubscribers || ignored.hasSubscribers;
}

/** Sends a signal. The message is put together only when somebody listens, and a listener that throws harms nobody. */
export function signal<N extends EmissionsChannelName>(
  name: N,
  message: () => EmissionsChannels[N],
): void {
  const target = channels[name];
  if (target.hasSubscribers) target.publish(message());
}

/**
 * Listens to one of this package's signals, in every application of the process; returns what stops it.
 *
 * A listener that throws or rejects is logged, and harms nobody. The same can be had from `node:diagnostics_channel`,
 * untyped: `subscribe('emissions:adapter:failed', listener)`.
 *
 * @throws ConfigurationError when there is no such signal
 */
export function onSignal<N extends EmissionsChannelName>(
  name: N,
  listener: (message: EmissionsChannels[N]) => void,
): () => void {
  if (!Object.hasOwn(channels, name)) {
    throw new ConfigurationError(
      `There is no signal ${quote(name)}. There are: ${EMISSIONS_CHANNELS.join(', ')}.`,
    );
  }
  if (typeof listener !== 'function') {
    throw new ConfigurationError(
      `onSignal takes a name and a function, but got ${quote(listener)}.`,
    );
  }
  const subscriber = (message: unknown): void => listener(message as EmissionsChannels[N]);
  channels[name].subscribe(subscriber);
  return () => {
    channels[name].unsubscribe(subscriber);
  };
}
