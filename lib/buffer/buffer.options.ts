import { callback, defineOptions, integer, value, type OptionSet } from '../emission/option-set.js';

/** Which requests get a buffer, and which responses commit it. */
export interface HttpOptions {
  /**
   * Methods whose requests get no buffer; replaces the default list.
   * @default ['GET', 'HEAD', 'OPTIONS']
   */
  skipMethods: readonly string[];
  /**
   * Tells by the status that is sent whether to commit; anything else terminates.
   * @default (status) => status >= 200 && status < 300
   */
  shouldCommit: (status: number) => boolean;
}

/** What `@Buffered` may change for one route. */
export type BufferedOptions = Partial<Pick<HttpOptions, 'shouldCommit'>>;

/** How much one unit of work may emit. */
export interface BufferOptions {
  /**
   * How many emissions a buffer holds; one more is refused with a `BufferFullError` and signalled.
   * @default 10000
   */
  capacity: number;
}

/** The rules of {@link HttpOptions}. */
export const httpOptions: OptionSet<HttpOptions> = defineOptions<HttpOptions>({
  skipMethods: value<readonly string[]>(
    "an array of HTTP methods in capitals, such as ['GET', 'HEAD']",
    (methods) =>
      Array.isArray(methods) && methods.every((m) => typeof m === 'string' && /^[A-Z-]+$/.test(m)),
    ['GET', 'HEAD', 'OPTIONS'],
  ),
  shouldCommit: callback((status) => status >= 200 && status < 300),
});

/** The rules of {@link BufferedOptions}. */
export const bufferedOptions: OptionSet<BufferedOptions> = defineOptions<BufferedOptions>({
  shouldCommit: callback(),
});

/** The rules of {@link BufferOptions}. */
export const bufferOptions: OptionSet<BufferOptions> = defineOptions<BufferOptions>({
  capacity: integer({ min: 1, default: 10_000 }),
});
