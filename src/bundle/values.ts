/** Values in a bundle. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * A string that may contain `${env:NAME}` or `${file:path}`. With a reference it is kept unresolved in the bundle as
 * `{ $ref: text }` and becomes a plain string when a generation is loaded, so a bundle contains no secrets.
 */
export type RefString = string | { readonly $ref: string };
