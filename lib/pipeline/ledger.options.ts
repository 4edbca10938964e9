import { defineOptions, integer, type OptionSet } from '../emission/option-set.js';

/** How much is remembered of what became of emissions. */
export interface LedgerOptions {
  /**
   * How many emissions are remembered; with one more, the oldest is forgotten.
   * @default 10000
   */
  capacity: number;
  /**
   * For how many milliseconds after its hand-over an emission is remembered.
   * @default 60000
   */
  ttlMs: number;
}

/** The rules of {@link LedgerOptions}. */
export const ledgerOptions: OptionSet<LedgerOptions> = defineOptions<LedgerOptions>({
  capacity: integer({ min: 1, default: 10_000 }),
  ttlMs: integer({ min: 1, default: 60_000 }),
});
