/**
 * Templates: text with variables, `Bearer of {consumer.name}`. Parsed at compile time; the data plane only joins parts.
 *
 *     {consumer.name}   a variable            {id}      short for {param.id}
 *     {{ and }}         literal braces        ${env:X}  a reference, resolved at load
 *     $${               a literal dollar sign before a brace
 */
import type { Json, TemplateEntry } from '../bundle/types.js';
import { suggest } from './suggest.js';

export interface TemplateVariable {
  /** Full name: `{id}` is `param.id`; header names are in lower case. */
  readonly name: string;
  /** Offset of the opening brace, in UTF-16 code units. */
  readonly offset: number;
}

export interface ParsedTemplate {
  readonly parts: TemplateEntry;
  /** Indices of the parts that are references. A literal part can look the same: `${{env:X}` is an escaped `${env:X}`. */
  readonly references: ReadonlySet<number>;
  readonly variables: readonly TemplateVariable[];
}

export interface TemplateError {
  readonly error: string;
  readonly offset: number;
}

const REFERENCE = /\$\{(?:env|file|vault):[^}]*\}/y;
const NAME = /^[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_!#$%&'*+^`|~-]+)*$/;

/**
 * Parses a template. A reference stays one literal part; `withReferences` marks such parts for the bundle.
 * Never throws; returns an error with the offset of an invalid brace.
 */
export function parseTemplate(text: string): ParsedTemplate | TemplateError {
  const parts: (string | { readonly var: string })[] = [];
  const variables: TemplateVariable[] = [];
  const references = new Set<number>();
  let literal = '';
  const flush = (): void => {
    if (literal !== '') parts.push(literal);
    literal = '';
  };
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    REFERENCE.lastIndex = at;
    const reference = char === '$' ? REFERENCE.exec(text)?.[0] : undefined;
    if (reference !== undefined) {
      flush();
      references.add(parts.length);
      parts.push(reference);
      at += reference.length;
    } else if (char === '$' && text.startsWith('$${', at)) {
      literal += '$';
      at += 2;
    } else if (char !== '{' && char !== '}') {
      literal += char;
      at++;
    } else if (text[at + 1] === char) {
      literal += char;
      at += 2;
    } else if (char === '}') {
      return { error: 'Unmatched `}`; write `}}` for a literal brace.', offset: at };
    } else {
      const end = text.indexOf('}', at);
      if (end < 0) return { error: 'Unmatched `{`; write `{{` for a literal brace.', offset: at };
      const name = fullName(text.slice(at + 1, end));
      if (name === undefined) {
        const hint = 'use letters, digits, `_`, `-` and dots, such as `{consumer.name}`, or `{{` for a literal brace';
        return { error: `\`${text.slice(at, end + 1)}\` is not a valid variable: ${hint}.`, offset: at };
      }
      flush();
      parts.push({ var: name });
      variables.push({ name, offset: at });
      at = end + 1;
    }
  }
  flush();
  return { parts, references, variables };
}

/** In single braces. Doubled braces and `${...}` belong to another template language that processes the text later. */
const PLACEHOLDER = /(?<![{$])\{([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_!#$%&'*+^`|~-]+)*)\}/g;

const NO_WORDS: ReadonlySet<string> = new Set();

/** Maximum number of near misses that parseText() returns. */
const MOST_NEAR_MISSES = 20;

export interface ParsedText {
  readonly parts: TemplateEntry;
  readonly variables: readonly TemplateVariable[];
  /** Placeholders that stay literal and resemble a variable: `{consmer.name}`; each once. */
  readonly nearMisses: readonly string[];
}

/**
 * Parses a text in which braces also have other meanings, such as JSON, CSS or HTML. A placeholder is a variable if it
 * begins with a word such as `consumer.` or `request.`, or is one of the path parameters. All other braces are literal, and
 * there are no escapes. Never fails. `more`: further words that variables begin with.
 */
export function parseText(text: string, params: ReadonlySet<string>, more: ReadonlySet<string> = NO_WORDS): ParsedText {
  const parts: (string | { readonly var: string })[] = [];
  const variables: TemplateVariable[] = [];
  const nearMisses = new Set<string>();
  let from = 0;
  for (const found of text.matchAll(PLACEHOLDER)) {
    const [whole, written = ''] = found;
    const name = fullName(written) ?? written;
    if (!isMeant(written, params, more)) {
      if (nearMisses.size < MOST_NEAR_MISSES && isNear(written, params)) nearMisses.add(whole);
      continue;
    }
    if (found.index > from) parts.push(text.slice(from, found.index));
    parts.push({ var: name });
    variables.push({ name, offset: found.index });
    from = found.index + whole.length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return { parts, variables, nearMisses: [...nearMisses] };
}

function isMeant(written: string, params: ReadonlySet<string>, more: ReadonlySet<string>): boolean {
  const dot = written.indexOf('.');
  if (dot < 0) return params.has(written);
  const word = written.slice(0, dot);
  return NAMESPACES.has(word) || more.has(word);
}

function isNear(written: string, params: ReadonlySet<string>): boolean {
  if (written.includes('.')) return nearestVariable(written, true) !== undefined;
  return suggest(written, firstOf(params)) !== undefined;
}

/** The parts for a bundle: a reference becomes `{ $ref }`, which is resolved when a generation loads. */
export function withReferences({ parts, references }: ParsedTemplate): readonly Json[] {
  return parts.map((part, index): Json => {
    if (typeof part !== 'string') return { var: part.var };
    return references.has(index) ? { $ref: part } : part;
  });
}

function fullName(written: string): string | undefined {
  const name = written.trim();
  if (!NAME.test(name)) return undefined;
  if (!name.includes('.')) return `param.${name}`;
  return /^(request|reply)\.header\./.test(name) ? name.toLowerCase() : name;
}

/** All variables. Those that end in `.NAME` have a variable last part. */
export const TEMPLATE_VARIABLES: readonly { readonly name: string; readonly summary: string; readonly reply?: true }[] =
  [
    { name: 'param.NAME', summary: 'a path parameter, percent-decoded; `{NAME}` for short' },
    { name: 'consumer.name', summary: 'name of the authenticated consumer' },
    { name: 'consumer.plan', summary: 'name of the plan of the consumer' },
    { name: 'consumer.tags.NAME', summary: 'a tag of the consumer' },
    {
      name: 'claims.NAME',
      summary: 'a claim of the verified token: text, numbers and booleans as they are, others as JSON',
    },
    { name: 'request.id', summary: 'the id in `x-request-id`' },
    { name: 'request.method', summary: 'the method' },
    { name: 'request.path', summary: 'the normalised path' },
    { name: 'request.query', summary: 'the raw query, without the question mark' },
    { name: 'request.host', summary: 'the host in lower case, without port' },
    { name: 'request.scheme', summary: '`http` or `https`' },
    { name: 'request.header.NAME', summary: 'a request header field' },
    { name: 'route.name', summary: 'name of the route' },
    { name: 'client.ip', summary: 'address of the client' },
    { name: 'reply.status', summary: 'status of the reply', reply: true },
    { name: 'reply.reason', summary: 'name of the status, such as `Not Found`', reply: true },
    {
      name: 'reply.code',
      summary: 'code of an [error](errors.md) of gw; nothing for a reply of a target',
      reply: true,
    },
    { name: 'reply.header.NAME', summary: 'a header field of the reply', reply: true },
  ];

/** First words of the variables. */
const NAMESPACES: ReadonlySet<string> = new Set(TEMPLATE_VARIABLES.map(({ name }) => name.slice(0, name.indexOf('.'))));

const FIXED = TEMPLATE_VARIABLES.filter(({ name }) => !name.endsWith('.NAME'));
const OPEN = TEMPLATE_VARIABLES.filter(({ name }) => name.endsWith('.NAME')).map(({ name, reply }) => ({
  prefix: name.slice(0, -'NAME'.length),
  reply,
}));

/**
 * Checks the full name of a variable on a route with these path parameters. Returns a message if it is unknown, else
 * undefined. `onReply`: the template is rendered when the reply exists.
 */
export function unknownVariable(name: string, params: ReadonlySet<string>, onReply: boolean): string | undefined {
  if (name.startsWith('param.')) return unknownParam(name.slice('param.'.length), params, onReply);
  const known =
    FIXED.find((variable) => variable.name === name) ??
    OPEN.find(({ prefix }) => name.startsWith(prefix) && name.length > prefix.length);
  if (known?.reply && !onReply)
    return `\`{${name}}\` is available only on replies, but this template is used on the request.`;
  if (known) return undefined;
  const near = nearestVariable(name, onReply);
  return `Unknown variable \`{${name}}\`${near === undefined ? '' : `; did you mean \`{${near}}\`?`}`.replace(
    /[^?]$/,
    '$&.',
  );
}

/** Maximum number of parameters that a message lists or suggests; a path may have thousands. */
const MOST_PARAMS = 12;

function firstOf(params: ReadonlySet<string>): readonly string[] {
  const first: string[] = [];
  for (const param of params) if (first.push(param) === MOST_PARAMS) break;
  return first;
}

function unknownParam(name: string, params: ReadonlySet<string>, onReply: boolean): string | undefined {
  if (params.has(name)) return undefined;
  const first = firstOf(params);
  const near = suggest(name, first);
  if (near !== undefined) return `The path has no parameter \`${name}\`; did you mean \`{${near}}\`?`;
  const bare = FIXED.find(
    (variable) =>
      (onReply || !variable.reply) && (variable.name.endsWith(`.${name}`) || variable.name.startsWith(`${name}.`)),
  );
  if (bare) return `The path has no parameter \`${name}\`; did you mean \`{${bare.name}}\`?`;
  const more = params.size > MOST_PARAMS ? ', ...' : '';
  return params.size === 0
    ? `The path has no parameter \`${name}\`; it has no parameters.`
    : `The path has no parameter \`${name}\`, only ${first.map((param) => `\`${param}\``).join(', ')}${more}.`;
}

function nearestVariable(name: string, onReply: boolean): string | undefined {
  const usable = FIXED.filter((variable) => onReply || !variable.reply).map((variable) => variable.name);
  const near = suggest(name, usable);
  if (near !== undefined) return near;
  const dot = name.lastIndexOf('.');
  const prefixes = OPEN.filter((variable) => onReply || !variable.reply).map(({ prefix }) => prefix.slice(0, -1));
  const prefix = suggest(name.slice(0, dot), prefixes);
  return prefix === undefined ? undefined : `${prefix}${name.slice(dot)}`;
}
