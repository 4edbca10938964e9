import type { Channel, ChannelListener } from 'node:diagnostics_channel';
import { Logger } from '@nestjs/common';

/**
 * Makes a channel whose listeners cannot do harm: Node turns the error of a listener into an uncaught exception, which ends
 * the process; here it is logged, and the other listeners and the delivery go on.
 *
 * It wraps listeners as they subscribe, also those that come through `diagnostics_channel.subscribe`.
 */
export function guardListeners(channel: Channel): Channel {
  const guards = new WeakMap<ChannelListener, ChannelListener>();
  // A channel changes its prototype with its first and last subscriber, so the methods are looked up when they are called.
  const original = (): Channel => Object.getPrototypeOf(channel) as Channel;
  Object.defineProperties(channel, {
    subscribe: {
      configurable: true,
      value(listener: ChannelListener) {
        original().subscribe.call(channel, guardOf(guards, listener));
      },
    },
    unsubscribe: {
      configurable: true,
      value(listener: ChannelListener) {
        return original().unsubscribe.call(channel, guards.get(listener) ?? listener);
      },
    },
  });
  return channel;
}

function guardOf(
  guards: WeakMap<ChannelListener, ChannelListener>,
  listener: ChannelListener,
): ChannelListener {
  const known = guards.get(listener);
  if (known !== undefined) return known;
  const guard: ChannelListener = (message, name) => {
    const report = (error: unknown): void => {
      new Logger('Emissions').error(
        `A listener of ${String(name)} failed; the signal's other listeners are unaffected.`,
        error instanceof Error ? error.stack : error,
      );
    };
    try {
      const returned: unknown = listener(message, name);
      if (returned instanceof Promise) returned.catch(report);
    } catch (error) {
      report(error);
    }
  };
  guards.set(listener, guard);
  return guard;
}
