/** The location of a redirect as one template, and what is wrong with it. */
import { type ParsedTemplate, parseTemplate, unknownVariable } from '../../policies/compile-kit.js';
import type { ConfigPath, PolicyProblem, TemplateEntry } from '../../policies/contract.js';
import type { RedirectConfig } from './schema.js';

type Part = TemplateEntry[number];
type Report = (problem: PolicyProblem) => void;

const variable = (name: string): Part => ({ var: name });

/** The location of a config without errors. Without scheme, host and port it is a path. */
export function locationOf({ location, scheme, host, port, path }: RedirectConfig): TemplateEntry {
  if (location !== undefined) return partsOf(location);
  const pathParts = path === undefined ? [variable('request.path')] : partsOf(path);
  if (scheme === undefined && host === undefined && port === undefined) return pathParts;
  return joined([
    scheme ?? variable('request.scheme'),
    '://',
    host ?? variable('request.host'),
    port === undefined ? '' : `:${port}`,
    ...pathParts,
  ]);
}

function partsOf(text: string): TemplateEntry {
  const parsed = parseTemplate(text);
  return 'error' in parsed ? [text] : parsed.parts;
}

/** Adjacent literals become one. */
function joined(parts: readonly Part[]): TemplateEntry {
  const all: Part[] = [];
  for (const part of parts) {
    const last = all.at(-1);
    if (typeof part === 'string' && typeof last === 'string') all[all.length - 1] = last + part;
    else if (part !== '') all.push(part);
  }
  return all;
}

/** The location as written, for people. */
export const locationText = (config: RedirectConfig): string =>
  locationOf(config)
    .map((part) => (typeof part === 'string' ? part : `{${part.var}}`))
    .join('');

const LOCATION_HELP = 'Write, for example, `"/orders/{id}"` or `"https://www.example.com{request.path}"`.';

/** Characters of a URL, RFC 3986. */
const NO_URL = /[^\x21-\x7e]|["<>\\^`|]/;

/** Checks a template for a URL, or for a path. */
export function lintLocation(
  text: string,
  at: ConfigPath,
  isPath: boolean,
  params: ReadonlySet<string>,
  report: Report,
): void {
  const parsed = parseTemplate(text);
  if ('error' in parsed) {
    report({ code: 'template/syntax', severity: 'error', at, message: parsed.error });
    return;
  }
  for (const { name, offset } of parsed.variables) {
    const message = unknownVariable(name, params, false);
    if (message === undefined) continue;
    const part = text.slice(offset, text.indexOf('}', offset) + 1);
    report({ code: 'template/unknown-variable', severity: 'error', at, part, message });
  }
  const message = formProblem(parsed, isPath);
  if (message !== undefined) report({ code: 'redirect/location', severity: 'error', at, message, help: LOCATION_HELP });
  const open = isPath ? undefined : openProblem(parsed.parts);
  if (open !== undefined) report({ code: 'redirect/open', severity: 'error', at, ...open });
}

function formProblem({ parts }: ParsedTemplate, isPath: boolean): string | undefined {
  const bad = parts.find((part) => typeof part === 'string' && NO_URL.test(part));
  if (typeof bad === 'string')
    return `A URL cannot contain \`${JSON.stringify(NO_URL.exec(bad)![0]).slice(1, -1)}\`: percent-encode it.`;
  const [first] = parts;
  const startsWithPath = typeof first === 'string' ? /^\/(?!\/)/.test(first) : first?.var === 'request.path';
  if (startsWithPath) return undefined;
  if (isPath) return 'A path begins with `/`.';
  if (typeof first === 'string') {
    const isUrl = /^(https?:)?\/\/./i.test(first) || (/^(https?:)?\/\/$/i.test(first) && parts.length > 1);
    return isUrl
      ? undefined
      : 'A location is a URL such as `https://www.example.com/`, or a path that begins with `/`.';
  }
  return undefined;
}

/** Stands for a variable; the index of its part is added. No URL contains it. */
const STAND_IN = 0xe000;

/** Why a client could choose the host of the location; undefined if it cannot. */
function openProblem(parts: TemplateEntry): { readonly message: string; readonly help: string } | undefined {
  const text = parts.map((part, index) => (typeof part === 'string' ? part : standIn(part.var, index))).join('');
  // A location that begins with a variable begins with whatever the client sends, a scheme for example.
  const whole = /^[\ue000-\uf8ff]/.exec(text)?.[0];
  const authority = whole ?? /^(?:https?:)?\/\/([^/?#]*)/i.exec(text)?.[1] ?? '';
  for (const { 0: found, index } of authority.matchAll(/[\ue000-\uf8ff]/g)) {
    const part = parts[found.charCodeAt(0) - STAND_IN];
    if (part === undefined || typeof part === 'string') continue;
    // Below a domain of the spec.
    if (/^\.[^\ue000-\uf8ff]*[A-Za-z0-9]$/.test(authority.slice(index + 1))) continue;
    return {
      message: `The client could choose the host that it is redirected to: \`{${part.var}}\` is part of it.`,
      help: 'Write the host, or at least the end of it after the variable: `https://{tenant}.example.com/`.',
    };
  }
  return undefined;
}

/** Of variables that no client chooses freely, a typical value. */
function standIn(name: string, index: number): string {
  if (name === 'request.path') return '/';
  if (name === 'request.scheme') return 'https';
  return name === 'request.host' || name.startsWith('consumer.') ? 'host' : String.fromCharCode(STAND_IN + index);
}
