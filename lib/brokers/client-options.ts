import { ConfigurationError } from '../emission/emission.errors.js';
import { value, type OptionRule } from '../emission/option-set.js';

/** Options of a client's library, which are handed on as they are. */
export type ClientOptions = Readonly<Record<string, unknown>>;

/** Takes an object of options of the library's function of that name. */
export function clientOptions(name: string): OptionRule<ClientOptions> {
  return value<ClientOptions>(
    `an object of options of ${name}`,
    (given) => typeof given === 'object' && given !== null && !Array.isArray(given),
  );
}

/** @throws ConfigurationError unless there is either a client that the application has or a URL to make one for, like the example */
export function checkSource(
  adapter: string,
  { client, url }: { readonly client?: unknown; readonly url?: string },
  example: string,
): void {
  if ((client === undefined) !== (url === undefined)) return;
  throw new ConfigurationError(
    `${adapter} takes either a client or a url, but got ${client === undefined ? 'neither' : 'both'}. Write url: '${example}'.`,
  );
}

/**
 * Looks at a URL before a library does, whose error would repeat it, with the password in it.
 *
 * @param protocols those that it may have, the usual one first
 * @throws ConfigurationError when it is none
 */
export function checkUrl(adapter: string, url: string, protocols: readonly string[]): URL {
  const parsed = URL.parse(url);
  if (parsed !== null && protocols.includes(parsed.protocol)) return parsed;
  throw new ConfigurationError(
    `${adapter}: the url is no '${protocols[0]}//user:password@host:port'. Special characters in a user or a password have to be written with encodeURIComponent(password).`,
  );
}
