import type { ServerResponse } from 'node:http';

/**
 * Makes a response that is held back look sent: frameworks answer again when they think that nobody has. Returns what takes
 * the cover off.
 */
export function coverAsSent(response: ServerResponse): () => void {
  const before = Object.keys(COVERS).map(
    (name) => [name, Object.getOwnPropertyDescriptor(response, name)] as const,
  );
  Object.defineProperties(response, COVERS);
  return () => {
    for (const [name, own] of before) {
      if (own !== undefined) Object.defineProperty(response, name, own);
      else delete (response as unknown as Record<string, unknown>)[name];
    }
  };
}

const refuse = (): never => {
  throw Object.assign(new Error('Cannot change headers after they are sent to the client'), {
    code: 'ERR_HTTP_HEADERS_SENT',
  });
};

const COVERS: PropertyDescriptorMap = {
  headersSent: { value: true, configurable: true },
  writableEnded: { value: true, configurable: true },
  ...Object.fromEntries(
    ['writeHead', 'setHeader', 'setHeaders', 'appendHeader', 'removeHeader'].map((name) => [
      name,
      { value: refuse, configurable: true },
    ]),
  ),
};
