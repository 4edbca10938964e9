/** For how many milliseconds a timer of Node can wait, about 24 days: one that is to wait longer is over at once. */
export const LONGEST_TIMER_MS = 2_147_483_647;
