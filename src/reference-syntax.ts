/**
 * Syntax of references: `${env:NAME}`, `${file:path}`, `${vault:PATH#KEY}`. The first two may have a default,
 * `${env:PORT:-8080}`, which may be empty: it is used if the variable or file is missing or empty. `$${` is a literal `${`.
 */

export type ReferenceKind = 'env' | 'file' | 'vault';

export interface Reference {
  readonly kind: ReferenceKind;
  readonly name: string;
  readonly fallback: string | undefined;
  /** As written. */
  readonly text: string;
}

/** An escaped `${`, or a reference: kind, name, default. */
const PART = /\$\$\{|\$\{(env|file|vault):((?:(?!:-)[^}])*)(?::-([^}]*))?\}/g;

/** Splits a text into parts; literal parts are unescaped strings. */
export function splitReferences(text: string): (string | Reference)[] {
  const parts: (string | Reference)[] = [];
  let literal = '';
  let from = 0;
  for (const found of text.matchAll(PART)) {
    literal += text.slice(from, found.index);
    from = found.index + found[0].length;
    const [whole, kind, name = '', fallback] = found;
    if (kind === undefined) literal += '${';
    else {
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push({ kind: kind as ReferenceKind, name, fallback, text: whole });
    }
  }
  literal += text.slice(from);
  if (literal !== '') parts.push(literal);
  return parts;
}

/** Whether the text contains a reference or an escape. */
export const needsResolving = (text: string): boolean => text.search(PART) >= 0;

/** The text with the defaults of all references; undefined if one has no default. */
export function textOfDefaults(text: string): string | undefined {
  const parts = splitReferences(text).map((part) => (typeof part === 'string' ? part : part.fallback));
  return parts.includes(undefined) ? undefined : parts.join('');
}

export interface ReferenceProblem {
  readonly message: string;
  readonly help: string;
}

const FORMS = 'Write `${env:NAME}`, `${file:path}` or `${vault:PATH#KEY}`, with a default `${env:NAME:-value}`.';
const LITERAL = 'For a literal `${` write `$${`.';

/**
 * What is wrong with the first malformed reference of a text. `template`: the text is a template, in which `${{` is a
 * dollar sign before a literal brace.
 */
export function referenceProblem(text: string, template: boolean): ReferenceProblem | undefined {
  for (const { index, 0: start } of text.matchAll(/\$\$\{|\$\{/g)) {
    if (start === '$${' || (template && text[index + 2] === '{')) continue;
    const end = text.indexOf('}', index);
    const body = text.slice(index + 2, end < 0 ? undefined : end);
    const problem = judge(body, end >= 0);
    if (problem === undefined) continue;
    const variable = template && /^[a-z][\w-]*(\.[\w-]+)*$/.test(body);
    return variable ? { ...problem, help: variableHelp(body) } : problem;
  }
  return undefined;
}

const variableHelp = (name: string): string =>
  `For a template variable write \`{${name}}\`, or \`$\${${name}}\` with a dollar sign before it. ${FORMS}`;

function judge(body: string, closed: boolean): ReferenceProblem | undefined {
  const written = `\${${body}${closed ? '}' : ''}`;
  const say = (why: string, help: string): ReferenceProblem => ({
    message: `\`${written.length > 60 ? `${written.slice(0, 57)}...` : written}\` is not a valid reference: ${why}.`,
    help,
  });
  const meant = suggestionOf(body);
  const help = meant === undefined ? `${FORMS} ${LITERAL}` : `Did you mean \`${meant}\`? ${LITERAL}`;
  if (body.includes('${')) return say('references cannot be nested', `Write the default as plain text. ${FORMS}`);
  if (!closed) return say('the closing `}` is missing', help);
  const [, kind, rest = ''] = /^([^:]*):(.*)$/s.exec(body) ?? [];
  if (kind === undefined || rest.startsWith('-')) return say('the source `env:`, `file:` or `vault:` is missing', help);
  if (kind !== 'env' && kind !== 'file' && kind !== 'vault') return say(`the source \`${kind}\` is unknown`, help);
  if (kind === 'vault') return judgeVault(rest, say, help);
  const name = rest.split(':-', 1)[0] ?? '';
  if (name.trim() === '') return say(`the ${kind === 'env' ? 'variable' : 'file'} name is missing`, help);
  if (kind === 'env' && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    return say('a variable name consists of letters, digits and `_` and does not begin with a digit', help);
  }
  return name === name.trim() ? undefined : say('the path begins or ends with a space', help);
}

/** A secret of Vault: a path and the key of a value. */
function judgeVault(
  rest: string,
  say: (why: string, help: string) => ReferenceProblem,
  help: string,
): ReferenceProblem | undefined {
  const example = 'Write the path with its mount, and the key: `${vault:secret/shop#password}`.';
  if (rest.includes(':-')) return say('a secret has no default', 'Remove the default.');
  const [, path, key] = /^([^#]*)#(.*)$/s.exec(rest) ?? [];
  if (path === undefined || key === undefined) return say('the key after `#` is missing', example);
  if (rest !== rest.trim() || path === '' || key === '') return say('the path or the key is missing', example);
  const segments = path.replace(/^\//, '').split('/');
  if (segments.length < 2 || segments.some((one) => one === '' || one === '.' || one === '..'))
    return say('the path has no mount, or an empty segment', example);
  return key.includes('#') ? say('the key has a `#`', help) : undefined;
}

/** The most likely intended reference; undefined if there is none. */
function suggestionOf(body: string): string | undefined {
  const [, prefix, rest] = /^[\s{]*(?:([A-Za-z]{1,6})\s*:(?![-=?+]))?\s*(.*?)\s*$/s.exec(body) ?? [];
  const kind = prefix?.toLowerCase() ?? 'env';
  if (rest === undefined || rest === '' || body.includes('${')) return undefined;
  if (kind === 'file') return `\${file:${rest}}`;
  if (!/^(e|en|env|envs|vars?|environ)$/.test(kind)) return undefined;
  // `PORT:8080`, `PORT=8080` and `PORT-8080` are defaults in other tools; `MY-VAR` is a name.
  const [, name = '', fallback] = /^([^:=?+]*?)(?:(?::[-=?+]?|[=?+]|-(?=\d))(.*))?$/s.exec(rest) ?? [];
  const valid = name
    .trim()
    .replace(/[^A-Za-z0-9_]+/g, '_')
    .replace(/^(?=\d)/, '_');
  if (valid === '' || valid === '_') return undefined;
  return `\${env:${valid}${fallback === undefined ? '' : `:-${fallback}`}}`;
}
