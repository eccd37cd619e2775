/** Reads what an operator selects in caches: URLs and prefixes of them, routes, tags, or everything. */
import { normalizePath } from '../../bundle/normalize.js';
import type { NormalizeEntry, Program } from '../../bundle/types.js';
import { suggest } from '../../schema/suggest.js';
import type { ContentSelector } from '../../state/content/types.js';
import { type CacheSelection, unknownCache } from '../../telemetry/cache-calls.js';
import { CacheError, type CachePolicy, cachesOf } from './policies.js';

/** Most selectors of one call: each looks at all entries. */
export const MOST_SELECTORS = 100;
/** Characters of a name in a message. */
const MOST_SHOWN = 60;

/** The caches of a program, or the one that is named. @throws CacheError */
export function chosenCaches(program: Program, name: string | undefined): readonly CachePolicy[] {
  const caches = cachesOf(program);
  if (name === undefined) return caches;
  const chosen = caches.filter((cache) => cache.name === name);
  if (chosen.length > 0) return chosen;
  const names = caches.map((cache) => cache.name);
  throw new CacheError('unknown', unknownCache(name.slice(0, MOST_SHOWN), names));
}

/** What an input selects in each cache. `verb`: what is to be done with it. @throws CacheError */
export function readSelectors(
  program: Program,
  input: CacheSelection,
  verb: 'purge' | 'list',
): (cache: CachePolicy) => readonly ContentSelector[] {
  const { url = [], route = [], tag = [], all = false } = input;
  const count = url.length + route.length + tag.length;
  if (all && count > 0) throw new CacheError('invalid', '`all` takes no further selector.');
  if (all) return () => [{ by: 'all' }];
  if (count === 0)
    throw new CacheError('invalid', `Say what to ${verb}: \`url\`, \`route\`, \`tag\`, or \`"all": true\`.`);
  if (count > MOST_SELECTORS) throw new CacheError('invalid', `A ${verb} has at most ${MOST_SELECTORS} selectors.`);
  for (const name of route) checkRoute(program, name);
  if (tag.includes('')) throw new CacheError('invalid', 'A tag is not empty.');
  const urls = url.map((text) => readUrl(text, program.normalize));
  const plain: ContentSelector[] = [
    ...route.map((value): ContentSelector => ({ by: 'route', value })),
    ...tag.map((value): ContentSelector => ({ by: 'tag', value })),
  ];
  return ({ contents }) => {
    const forms = urls.map(({ prefix, exact }) => (prefix === undefined ? contents.canonicalUrl(exact) : prefix));
    return [...[...new Set(forms)].map((value): ContentSelector => ({ by: 'url', value })), ...plain];
  };
}

/** @throws CacheError */
function checkRoute({ routes }: Program, name: string): void {
  if (routes.some((one) => one.name === name)) return;
  const shown = name.slice(0, MOST_SHOWN);
  const near = suggest(
    shown,
    routes.map((one) => one.name),
  );
  const meant = near === undefined ? '' : ` Did you mean \`${near}\`?`;
  throw new CacheError('unknown', `There is no route \`${shown}\`.${meant}`);
}

/** A URL with a normalized path and without the default port; a prefix with its `*`. */
type UrlForm =
  | { readonly prefix: string; readonly exact?: undefined }
  | { readonly exact: string; readonly prefix?: undefined };

const DEFAULT_PORT: Readonly<Record<string, string>> = { http: ':80', https: ':443' };

function readUrl(text: string, rules: NormalizeEntry): UrlForm {
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  const isPrefix = text.endsWith('*');
  const match = /^(https?):\/\/([^/?#\s*]+)(\/[^?#]*)?(\?[^#]*)?/i.exec(isPrefix ? text.slice(0, -1) : text);
  if (match === null)
    throw new CacheError('invalid', `\`${shown}\` is not an absolute URL such as https://api.example/products/1.`);
  const scheme = match[1]!.toLowerCase();
  const host = match[2]!.toLowerCase();
  if (isPrefix && match[3] === undefined)
    throw new CacheError('invalid', `\`${shown}\` has no path: the prefix of all URLs of a host ends in \`/*\`.`);
  const path = normalizePath(match[3] ?? '/', rules);
  if (path === undefined) throw new CacheError('invalid', `The gateway refuses the path of \`${shown}\`.`);
  const port = DEFAULT_PORT[scheme]!;
  // Caches keep contents under URLs without the default port.
  const url = `${scheme}://${host.endsWith(port) ? host.slice(0, -port.length) : host}${path}${match[4] ?? ''}`;
  return isPrefix ? { prefix: `${url}*` } : { exact: url };
}
