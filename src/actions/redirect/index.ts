/** Compile part of redirect. */
import { declareAction, templateFacts } from '../../policies/compile-kit.js';
import { lintLocation, locationOf, locationText } from './location.js';
import { PROBLEMS } from './problems.js';
import { type RedirectConfig, type RedirectSettings, schema, shorthand } from './schema.js';

const PARTS = ['scheme', 'host', 'port', 'path'] as const;

export default declareAction<RedirectConfig, RedirectSettings>({
  use: 'redirect',
  summary: 'Redirects to another URL',
  schema,
  shorthand,
  codes: [
    {
      code: 'redirect/location',
      severity: 'error',
      summary: 'A redirect has no location, two of them, or one that is not a URL or path',
    },
    { code: 'redirect/open', severity: 'error', summary: 'The client could choose the host of a redirect' },
    {
      code: 'redirect/loop',
      severity: 'warning',
      summary: 'A redirect to another scheme takes requests that already have it',
    },
    { code: 'template/syntax', severity: 'error', summary: 'A template has an unmatched brace' },
    {
      code: 'template/unknown-variable',
      severity: 'error',
      summary: 'A template uses an unknown variable or path parameter',
    },
  ],
  problems: Object.values(PROBLEMS),
  requestFacts: ({ keep_query, location, path }) => [
    ...templateFacts(location ?? '', ['location']),
    ...templateFacts(path ?? '', ['path']),
    ...(keep_query ? [{ kind: 'query', at: ['keep_query'], why: 'to append it to the location' } as const] : []),
  ],
  lint(config, { routes }, report) {
    const params = new Set(routes[0]?.params);
    const { location, path } = config;
    const parts = PARTS.filter((key) => config[key] !== undefined);
    if (location === undefined && parts.length === 0) {
      report({
        code: 'redirect/location',
        severity: 'error',
        at: [],
        message: 'The redirect has no location: it would lead to the URL of the request itself.',
        help: 'Set `location`, or one of `scheme`, `host`, `port` and `path`.',
      });
    }
    if (location !== undefined && parts[0] !== undefined) {
      report({
        code: 'redirect/location',
        severity: 'error',
        at: [parts[0]],
        message: `\`location\` is the whole location, so \`${parts[0]}\` has no effect.`,
        help: `Remove \`location\` or \`${parts[0]}\`.`,
      });
    }
    const loop = loopProblem(config, routes[0]?.schemes ?? []);
    if (loop !== undefined) report({ code: 'redirect/loop', severity: 'warning', at: ['scheme'], ...loop });
    if (location !== undefined) lintLocation(location, ['location'], false, params, report);
    if (path !== undefined) lintLocation(path, ['path'], true, params, report);
  },
  describe: (config) => `redirect ${config.status} to ${locationText(config)}`,
  compile: (config) => ({ status: config.status, location: locationOf(config), keepQuery: config.keep_query }),
});

/** What is wrong with a redirect that changes only the scheme of requests that may have it already. */
function loopProblem(
  { location, scheme, host, port, path }: RedirectConfig,
  schemes: readonly ('http' | 'https')[],
): { readonly message: string; readonly help: string } | undefined {
  if (location !== undefined || scheme === undefined || host !== undefined || port !== undefined || path !== undefined)
    return undefined;
  if (!schemes.includes(scheme)) return undefined;
  const other = scheme === 'https' ? 'http' : 'https';
  return {
    message: `The route also takes requests over ${scheme}: they would be redirected to their own URL, so they get 508.`,
    help: `Redirect only the others: \`match = { path = "...", scheme = "${other}" }\`, or set \`listeners\`.`,
  };
}
