import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { once } from 'node:events';

/** What a client got. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Whether it arrived whole: the connection was not cut. */
  readonly complete: boolean;
}

/** What a client says beside method and URL. */
export interface Ask {
  body?: unknown;
  headers?: Record<string, string>;
  agent?: Agent;
  signal?: AbortSignal;
}

/** Sends a request as it is: no redirect is followed, nothing is added; rejects when the connection fails before an answer. */
export async function ask(method: string, url: string, options: Ask = {}): Promise<Answer> {
  const response = await open(method, url, options);
  let text = '';
  response.setEncoding('utf8');
  try {
    for await (const chunk of response) text += chunk as string;
  } catch {
    // Cut: what has arrived is the answer.
  }
  const { statusCode, headers, complete } = response;
  return { status: statusCode!, headers, text, complete };
}

/** The same, without reading the body. */
export async function open(
  method: string,
  url: string,
  { body, headers, agent, signal }: Ask = {},
): Promise<IncomingMessage> {
  const json = body === undefined ? undefined : JSON.stringify(body);
  const message = request(url, {
    method,
    agent: agent ?? connections,
    ...(signal && { signal }),
    headers: {
      ...(json !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(json),
      }),
      ...headers,
    },
  });
  message.end(json);
  const [response] = (await once(message, 'response')) as [IncomingMessage];
  return response;
}

/** Kept alive, so that requests follow each other on one connection. */
const connections = new Agent({ keepAlive: true });

/** One connection, for requests that must follow each other on it. */
export function oneConnection(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 });
}
