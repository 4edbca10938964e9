/** One of server-sent events. */
export interface StreamEvent {
  readonly type: string;
  readonly id: string | undefined;
  readonly data: any;
}

/** What a client of server-sent events has got. */
export interface EventStream extends AsyncDisposable {
  readonly status: number;
  readonly events: StreamEvent[];
  /** Resolves when so many have come in all, or the stream has ended. */
  until(count: number): Promise<StreamEvent[]>;
  /** Resolves when the server has ended it. */
  end(): Promise<void>;
  close(): void;
}

/** Opens a stream, behind the last id that was seen. */
export async function openEvents(url: string, last?: string): Promise<EventStream> {
  const stop = new AbortController();
  const response = await fetch(url, {
    signal: stop.signal,
    headers: last === undefined ? {} : { 'last-event-id': last },
  });
  const events: StreamEvent[] = [];
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const read = async (): Promise<boolean> => {
    const { done, value = '' } = await reader.read();
    text += value;
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const data = field('data');
      if (data !== undefined && field('event') !== undefined)
        events.push({ type: field('event')!, id: field('id'), data: JSON.parse(data) });
    }
    return !done;
  };
  const close = () => stop.abort();
  return {
    status: response.status,
    events,
    async until(count) {
      // oxlint-disable-next-line no-await-in-loop
      while (events.length < count && (await read()));
      return events;
    },
    async end() {
      // oxlint-disable-next-line no-await-in-loop
      while (await read());
    },
    close,
    [Symbol.asyncDispose]: async () => close(),
  };
}
