import type { Destination } from '../../emission/destination.js';

/** Adapters may be called as handlers are; no name of these begins so. */
const ADAPTER = 'adapter//';
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
  const { prefix, own, keyed } = partsOf(queue);
  return prefix + own + (keyed === '' ? KEYED : '');
}

/** Whose queue it is: the name of the handler or adapter, when it is one of ours. */
export function ownerOf(queue: string): string {
  return partsOf(queue).own.replaceAll(/\/([0-9a-f]+)\//g, (_, code: string) =>
    String.fromCodePoint(Number.parseInt(code, 16)),
  );
}

/** Names may end as the queue of what is keyed does: what is left when all signs are read says which it is. */
function partsOf(queue: string): { prefix: string; own: string; keyed: string } {
  const parts = /^(adapter\/\/)?((?:[\w.-]|\/[0-9a-f]+\/)*)(\/keyed)?$/.exec(queue);
  const [, prefix = '', own = queue, keyed = ''] = parts ?? [];
  return { prefix, own, keyed };
}
