import type { Channel, ChannelListener } from 'node:diagnostics_channel';
import { types } from 'node:util';
import { Logger } from '@nestjs/common';
import { quote } from '../emission/quote.js';
import { loggable } from '../emission/thrown.js';

type Guards = WeakMap<ChannelListener, ChannelListener>;
const GUARDS: unique symbol = Symbol.for('nestjs-emissions:guards') as never;

/**
 * Makes a channel whose listeners cannot do harm: Node turns the error of a listener into an uncaught exception, which ends
 * the process; here it is logged, and the other listeners and the delivery go on.
 *
 * It wraps listeners as they subscribe, also those that come through `diagnostics_channel.subscribe`, and those that were
 * there before this package was loaded, as a tracer's are.
 */
export function guardListeners(channel: Channel): Channel {
  const guards = guardsOf(channel);
  const guardOf = (listener: ChannelListener): ChannelListener => {
    if (typeof listener !== 'function') {
      // Node would refuse it too, but some versions only after they have counted it.
      throw new TypeError(
        `A listener of ${String(channel.name)} is a function, not ${quote(listener)}.`,
      );
    }
    let guard = guards.get(listener);
    if (guard === undefined) {
      guard = guarded(listener);
      guards.set(listener, guard);
      // A channel's first subscriber changes its prototype, whose `subscribe` comes through here once more.
      guards.set(guard, guard);
    }
    return guard;
  };
  const early = earlySubscribers(channel);
  for (const listener of early) channel.unsubscribe(listener);
  // Its prototype changes with the first and the last subscriber, so the methods are looked up when they are called.
  const original = (): Channel => Object.getPrototypeOf(channel) as Channel;
  Object.defineProperties(channel, {
    subscribe: {
      configurable: true,
      value: (listener: ChannelListener) => original().subscribe.call(channel, guardOf(listener)),
    },
    unsubscribe: {
      configurable: true,
      value: (listener: ChannelListener) =>
        original().unsubscribe.call(channel, guards.get(listener) ?? listener),
    },
  });
  for (const listener of early) channel.subscribe(listener);
  return channel;
}

/** Channels belong to the process, where this package may be loaded twice: each finds what the other one guards. */
function guardsOf(channel: Channel & { [GUARDS]?: Guards }): Guards {
  return (channel[GUARDS] ??= new WeakMap());
}

/** Node has no public list of them; without one, they are left as they are. */
function earlySubscribers(channel: Channel): readonly ChannelListener[] {
  const { _subscribers: subscribers } = channel as { _subscribers?: unknown };
  return Array.isArray(subscribers) ? [...(subscribers as ChannelListener[])] : [];
}

function guarded(listener: ChannelListener): ChannelListener {
  return (message, name) => {
    const report = (error: unknown): void => {
      new Logger('Emissions').error(
        `A listener of ${String(name)} failed; the signal's other listeners are unaffected.`,
        loggable(error),
      );
    };
    try {
      const returned: unknown = listener(message, name);
      if (types.isPromise(returned)) returned.catch(report);
    } catch (error) {
      report(error);
    }
  };
}
