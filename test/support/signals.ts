import { onSignal, type EmissionsChannelName, type EmissionsChannels } from 'nestjs-emissions';

/** What was signalled on some channels since, in order. */
export interface SignalLog<N extends EmissionsChannelName> extends Disposable {
  readonly all: { readonly channel: N; readonly message: EmissionsChannels[N] }[];
  of<M extends N>(channel: M): EmissionsChannels[M][];
  stop(): void;
}

/** Listens to channels until `stop()`; `using log = listen(…)` stops by itself. */
export function listen<N extends EmissionsChannelName>(...channels: N[]): SignalLog<N> {
  const all: { channel: N; message: EmissionsChannels[N] }[] = [];
  const stops = channels.map((channel) =>
    onSignal(channel, (message) => all.push({ channel, message })),
  );
  const stop = (): void => stops.forEach((each) => each());
  return {
    all,
    of: <M extends N>(channel: M) =>
      all
        .filter((entry) => entry.channel === channel)
        .map(({ message }) => message as EmissionsChannels[M]),
    stop,
    [Symbol.dispose]: stop,
  };
}
