/** Bounds that both parts know. */

/** Calls of one aggregate. */
export const MOST_CALLS = 32;
/** Items of one fan-out. */
export const MOST_ITEMS = 1000;
/** Requests of one aggregate in progress. */
export const MOST_AT_ONCE = 16;
