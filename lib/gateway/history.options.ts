import { defineOptions, integer, milliseconds, type OptionSet } from '../emission/option-set.js';

/** How much of each tenant is kept in memory for those who come back. */
export interface HistoryOptions {
  /**
   * How many emissions of one tenant are kept; 0 keeps none.
   * @default 1000
   */
  size: number;
  /**
   * For how long they are kept, and for how long a tenant that nobody follows any more is remembered, in milliseconds.
   * @default 300000
   */
  maxAgeMs: number;
}

/** The rules of {@link HistoryOptions}. */
export const historyOptions: OptionSet<HistoryOptions> = defineOptions<HistoryOptions>({
  size: integer({ min: 0, max: 1_000_000, default: 1_000 }),
  maxAgeMs: milliseconds({ min: 1, default: 300_000 }),
});
