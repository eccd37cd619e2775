/** Checks of a transform config against itself and its routes. */
import { parseTemplate } from '../compile-kit.js';
import type { ConfigPath, PolicyCode, PolicyContext, PolicyProblem, RefString } from '../contract.js';
import { lintEdits, lintTemplate, RouteParams } from '../kits/field-edits-schema.js';
import { lintBody } from './lint-body.js';
import { type PathProblem, readPattern, templateProblem } from './path-rules.js';
import { type PathRuleConfig, pathRules, type RequestConfig, type TransformConfig } from './schema.js';

type Report = (problem: PolicyProblem) => void;

export const CODES: readonly PolicyCode[] = [
  { code: 'transform/empty', severity: 'warning', summary: 'A transform policy changes nothing' },
  { code: 'transform/duplicate', severity: 'error', summary: 'A header field is set twice, in different case' },
  { code: 'transform/conflict', severity: 'error', summary: 'Two edits of a transform policy exclude each other' },
  { code: 'transform/path', severity: 'error', summary: 'A path of a transform policy cannot be matched or sent' },
  {
    code: 'transform/route-path',
    severity: 'warning',
    summary: 'A path of a transform policy does not use what the route makes of the path',
  },
  { code: 'transform/same-site', severity: 'warning', summary: 'A cookie for other sites has no `Secure`' },
  { code: 'transform/jsonata', severity: 'error', summary: 'A program in JSONata is not valid' },
  { code: 'transform/member', severity: 'error', summary: 'A path to a member of JSON is not valid' },
  { code: 'transform/no-body', severity: 'warning', summary: 'A body is transformed where requests have none' },
  { code: 'transform/no-edit', severity: 'error', summary: 'A body is read, and nothing is done with it' },
  { code: 'template/syntax', severity: 'error', summary: 'A template has an unmatched brace' },
  {
    code: 'template/unknown-variable',
    severity: 'error',
    summary: 'A template uses an unknown variable or path parameter',
  },
];

export function lintTransform(config: TransformConfig, context: PolicyContext, report: Report): void {
  const { request, reply } = config;
  if (isNothing(config)) {
    report({
      code: 'transform/empty',
      severity: 'warning',
      at: [],
      message: 'This policy changes nothing.',
      help: 'Add an edit such as `request.path = "/v2/{id}"`, or remove the policy.',
    });
  }
  const routes = new RouteParams(context.routes);
  lintPath(request, context, report);
  for (const [at, values] of [
    [['request', 'query', 'set'], request.query.set],
    [['request', 'query', 'add'], request.query.add],
    [['request', 'cookies', 'set'], request.cookies.set],
  ] as const)
    lintValues(values, at, routes, report);
  for (const side of ['request', 'reply'] as const) {
    const place = { at: [side, 'headers'], onReply: side === 'reply', duplicate: 'transform/duplicate', routes };
    lintEdits(config[side].headers, place, report);
    lintNames(named(config[side].headers), [side, 'headers'], 'header field', report);
  }
  lintNames(request.query, ['request', 'query'], 'parameter', report);
  lintNames({ ...request.cookies, add: {} }, ['request', 'cookies'], 'cookie', report);
  for (const side of ['request', 'reply'] as const) lintBody(config, side, context, report);
  const { cookies } = reply;
  if (cookies?.same_site !== 'none' || cookies.secure === true) return;
  report({
    code: 'transform/same-site',
    severity: 'warning',
    at: ['reply', 'cookies', 'same_site'],
    message: 'Browsers refuse a cookie with `SameSite=None` that has no `Secure`.',
    help: 'Add `secure = true`.',
  });
}

/** Each part of a config without edits is empty, or a table of empty parts. An empty `allow` removes everything. */
const isNothing = ({ request, reply }: TransformConfig): boolean =>
  request.query.allow === undefined && request.cookies.allow === undefined && isBare(request) && isBare(reply);

function isBare(value: unknown): boolean {
  if (value === undefined) return true;
  return typeof value === 'object' && value !== null && Object.values(value).every(isBare);
}

// ------------------------------------------------------------------ paths

function lintPath(request: RequestConfig, { routes }: PolicyContext, report: Report): void {
  const given = request.path;
  const changed = routes.find(({ pathKey }) => pathKey !== undefined);
  pathRules(request).forEach((rule, index) => {
    const base: ConfigPath = typeof given === 'string' ? [] : Array.isArray(given) ? [index] : [];
    const at = (key: 'from' | 'to'): ConfigPath => [
      'request',
      'path',
      ...base,
      ...(typeof given === 'string' ? [] : [key]),
    ];
    const say = ({ key, part, message, help }: PathProblem): void =>
      report({
        code: 'transform/path',
        severity: 'error',
        at: at(key),
        ...(part === undefined ? {} : { part }),
        message,
        ...(help === undefined ? {} : { help }),
      });
    const pattern = rule.from === undefined ? undefined : readPattern(rule.from, say);
    const names = pattern?.names ?? [];
    const parsed = parseTemplate(rule.to);
    if ('error' in parsed) {
      report({ code: 'template/syntax', severity: 'error', at: at('to'), message: parsed.error });
      return;
    }
    const problem = templateProblem(rule.to, parsed);
    if (problem !== undefined) say(problem);
    if (changed !== undefined) lintRoutePath(rule, index, changed, at('to'), report);
    // What an invalid pattern captures is not known.
    if (rule.from !== undefined && pattern === undefined) return;
    const known = new RouteParams(routes.map((route) => ({ ...route, params: [...route.params, ...names] })));
    for (const { name, offset } of parsed.variables) {
      const message = names.includes(name.replace(/^param\./, '')) ? undefined : known.problem(name, false);
      if (message === undefined) continue;
      const part = { text: rule.to, start: offset, end: rule.to.indexOf('}', offset) + 1 };
      report({ code: 'template/unknown-variable', severity: 'error', at: at('to'), part, message });
    }
  });
}

/** The route has `rewrite` or `strip_prefix`, which is lost. */
function lintRoutePath(
  { from, to }: PathRuleConfig,
  index: number,
  { name, pathKey }: PolicyContext['routes'][number],
  at: ConfigPath,
  report: Report,
): void {
  const warn = (message: string, help: string): void =>
    report({ code: 'transform/route-path', severity: 'warning', at, message, help });
  const pattern = '`{ from = "/{rest...}", to = "/v2/{rest}" }`';
  if (readsPath(to))
    warn(
      `\`{request.path}\` is the path of the client: \`${pathKey}\` of route \`${name}\` does not change it.`,
      `Take what the route makes of the path: ${pattern}.`,
    );
  else if (from === undefined && index === 0)
    warn(
      `\`${pathKey}\` of route \`${name}\` has no effect, because this path takes its place.`,
      `Remove \`${pathKey}\`, or take what the route makes of the path: ${pattern}.`,
    );
}

function readsPath(text: string): boolean {
  const parsed = parseTemplate(text);
  return !('error' in parsed) && parsed.variables.some(({ name }) => name === 'request.path');
}

function lintValues(
  values: { readonly [name: string]: RefString },
  at: ConfigPath,
  routes: RouteParams,
  report: Report,
): void {
  for (const [name, value] of Object.entries(values))
    lintTemplate(typeof value === 'string' ? value : value.$ref, [...at, name], { routes, onReply: false }, report);
}

// ------------------------------------------------------------------ names

interface Named {
  readonly allow?: readonly string[] | undefined;
  readonly remove: readonly string[];
  readonly rename: { readonly [from: string]: string };
  readonly set: { readonly [name: string]: unknown };
  readonly add: { readonly [name: string]: unknown };
}

/** Names of fields in lower case, as keys. */
function named({ remove, rename, set, add }: TransformConfig['reply']['headers']): Named {
  return { remove, rename, set, add };
}

/** Reports edits of one name of which only one can have an effect. `what`: `cookie`. */
function lintNames({ allow, remove, rename, set }: Named, at: ConfigPath, what: string, report: Report): void {
  const same = what === 'header field' ? (name: string) => name.toLowerCase() : (name: string) => name;
  const conflict = (where: ConfigPath, other: ConfigPath, message: string, help: string): void =>
    report({
      code: 'transform/conflict',
      severity: 'error',
      at: [...at, ...where],
      message,
      help,
      related: [{ at: [...at, ...other], message: 'the other edit' }],
    });
  const removed = new Map(remove.map((name, index) => [same(name), index]));
  const renames = Object.entries(rename);
  for (const name of Object.keys(set)) {
    const index = removed.get(same(name));
    const by = renames.find(([, to]) => same(to) === same(name));
    if (index !== undefined)
      conflict(
        ['remove', index],
        ['set', name],
        `\`${name}\` is both removed and set: \`set\` replaces what the ${what} had.`,
        'Remove one of the two.',
      );
    if (by !== undefined)
      conflict(
        ['set', name],
        ['rename', by[0]],
        `\`${name}\` is set, so the ${what} \`${by[0]}\` is renamed for nothing.`,
        'Remove one of the two.',
      );
  }
  for (const [from, to] of renames) {
    const index = removed.get(same(from));
    if (index !== undefined)
      conflict(
        ['rename', from],
        ['remove', index],
        `\`${from}\` is removed before it could be renamed.`,
        'Remove one of the two.',
      );
    if (same(from) === same(to))
      conflict(['rename', from], ['rename', from], `\`${from}\` is renamed to itself.`, 'Write the new name.');
    if (allow !== undefined && !allow.includes(from))
      conflict(
        ['rename', from],
        ['allow'],
        `\`${from}\` is renamed, but \`allow\` does not keep it.`,
        `Add it to \`allow\`, with its old name.`,
      );
  }
  if (allow === undefined) return;
  for (const [name, index] of removed) {
    if (allow.includes(name))
      conflict(['remove', index], ['allow'], `\`${name}\` is both allowed and removed.`, 'Remove one of the two.');
  }
}
