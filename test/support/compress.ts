import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';

/** As compressing middlewares do: takes over `write` and `end`, and sends pieces of its own. */
export function compress(
  _request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
): void {
  const write = response.write.bind(response) as (chunk: Buffer) => boolean;
  const end = response.end.bind(response) as () => void;
  const gzip = createGzip();
  gzip.on('data', (chunk: Buffer) => void write(chunk));
  gzip.on('end', end);
  gzip.on('drain', () => response.emit('drain'));
  const begin = (): void => {
    if (response.headersSent || response.hasHeader('content-encoding')) return;
    response.setHeader('content-encoding', 'gzip');
    response.removeHeader('content-length');
  };
  response.write = ((chunk: never) => {
    begin();
    return gzip.write(chunk);
  }) as typeof response.write;
  response.end = ((chunk?: never) => {
    begin();
    if (chunk !== undefined && chunk !== null) gzip.write(chunk);
    gzip.end();
    return response;
  }) as typeof response.end;
  next();
}
