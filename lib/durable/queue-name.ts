import type { Destination } from '../emission/destination.js';

/** Adapters may be called as handlers are. */
const ADAPTER = 'adapter/';
const KEYED = '/keyed';

/**
 * The queue of a durable destination: what has a key goes into one of its own. Signs that a queue's name cannot have stand there
 * by their number, between slashes.
 */
export function queueNameOf(
  { kind, name }: Pick<Destination, 'kind' | 'name'>,
  isKeyed: boolean,
): string {
  const own = name.replaceAll(/[^\w.-]/gu, (sign) => `/${sign.codePointAt(0)!.toString(16)}/`);
  return (kind === 'adapter' ? ADAPTER : '') + own + (isKeyed ? KEYED : '');
}

/** The queue for what has no key, to that for what has one, and the other way round. */
export function partnerOf(queue: string): string {
  return queue.endsWith(KEYED) ? queue.slice(0, -KEYED.length) : queue + KEYED;
}

/** Whose queue it is: the name of the handler or adapter, when it is one of ours. */
export function ownerOf(queue: string): string {
  const own = queue.endsWith(KEYED) ? queue.slice(0, -KEYED.length) : queue;
  const name = own.startsWith(ADAPTER) ? own.slice(ADAPTER.length) : own;
  return name.replaceAll(/\/([0-9a-f]+)\//g, (_, code: string) =>
    String.fromCodePoint(Number.parseInt(code, 16)),
  );
}
