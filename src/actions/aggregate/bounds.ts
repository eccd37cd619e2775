/** Bounds that both parts know. */

/** Calls of one aggregate. */
export const MOST_CALLS = 32;
/** Items of one fan-out. */
export const MOST_ITEMS = 1000;
/** Characters of a path with its query, and of all fields of a request: what gw sends at most in a call. */
export const LONGEST_PATH = 16 * 1024;
export const LONGEST_FIELDS = 64 * 1024;
/** Requests of one aggregate in progress. */
export const MOST_AT_ONCE = 16;
