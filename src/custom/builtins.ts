/** Modules of Node that custom code may import: they only compute. The others reach files, the network or processes. */

const ALLOWED: ReadonlySet<string> = new Set([
  'assert',
  'assert/strict',
  'buffer',
  'crypto',
  'events',
  'path',
  'path/posix',
  'punycode',
  'querystring',
  'stream',
  'string_decoder',
  'url',
  'util',
  'util/types',
  'zlib',
]);

/** Whether custom code may import it. `specifier`: `node:crypto` or `crypto`. */
export const isAllowedBuiltin = (specifier: string): boolean => ALLOWED.has(specifier.replace(/^node:/, ''));

/** What to do instead of importing another one. */
export const BUILTIN_HELP =
  'Use what `host` offers: `host.call()` for requests, `host.after()` for timers, `context.readFile()` in the compile part for files, `duty` for work outside of requests. Modules of Node that only compute, such as `node:crypto`, are allowed.';
