/** Imports for the compile part of a policy (schema.ts, index.ts). The data plane never loads this file. */
import { isToken } from '../field-syntax.js';
import { s } from '../schema/declare.js';
import { example } from '../schema/regex/dfa.js';
import { compilePattern } from '../schema/regex/regex.js';
import { factOfVariable } from '../schema/request-facts.js';
import { parseTemplate, parseText, type TemplateVariable } from '../schema/template.js';
import type { ActionDeclaration, ConfigPath, Json, PolicyDeclaration, RequestFact } from './contract.js';

export { isToken as isFieldName } from '../field-syntax.js';
export { type CallUrl, callUrl, parseCallUrl } from '../schema/call-url.js';
export { type Infer, Schema, s } from '../schema/declare.js';
export { compilePattern, PATTERN_HELP } from '../schema/regex/regex.js';
export { factOfVariable, fieldFact } from '../schema/request-facts.js';
export {
  type ParsedTemplate,
  type ParsedText,
  parseTemplate,
  parseText,
  unknownVariable,
  withReferences,
} from '../schema/template.js';
export { formatDuration, formatRate } from '../schema/units.js';

/**
 * A shortest text that a pattern of JSON Schema matches, of at least `minBytes` bytes if there is one; undefined if the pattern
 * uses more than gw's subset of regular expressions.
 */
export function patternExample(pattern: string, minBytes: number): string | undefined {
  const source = pattern.replace(/^\^/, '').replace(/(?<!\\)\$$/, '');
  const compiled = compilePattern(source);
  if (!('dfa' in compiled)) return undefined;
  const found = example(compiled.dfa, minBytes);
  if (found !== '' || minBytes === 0) return found;
  // Where the pattern is not anchored, more text may stand.
  const before = pattern.startsWith('^') ? '' : '[a-z]*';
  const after = pattern.endsWith('$') ? '' : '[a-z]*';
  const wider = compilePattern(`${before}(${source})${after}`);
  return ('dfa' in wider && example(wider.dfa, minBytes)) || example(compiled.dfa);
}

/** Checks a declaration against its own types and returns it with an unknown config, as the registry keeps it. */
export const declarePolicy = <Config, Settings extends Json>(
  declaration: PolicyDeclaration<Config, Settings>,
): PolicyDeclaration => declaration;

/** The same for an action. */
export const declareAction = <Config, Settings extends Json>(
  declaration: ActionDeclaration<Config, Settings>,
): ActionDeclaration => declaration;

/** The facts of requests that a template reads; `at`: its place in the config. None for one that is malformed. */
export function templateFacts(text: string, at: ConfigPath): readonly RequestFact[] {
  const parsed = parseTemplate(text);
  return 'error' in parsed ? [] : factsOf(parsed.variables, at);
}

/** The facts of a policy that tells the target who calls, by fields of these names. */
export const callerFacts = (names: readonly string[], at: ConfigPath): readonly RequestFact[] =>
  names.map((name) => ({ kind: 'caller', name: name.toLowerCase(), at }));

const NO_PARAMS: ReadonlySet<string> = new Set();

/** The same for a text in which other braces are literal (parseText()). */
export const textFacts = (text: string, at: ConfigPath): readonly RequestFact[] =>
  // Parameters of the path are part of every key.
  factsOf(parseText(text, NO_PARAMS).variables, at);

const factsOf = (variables: readonly TemplateVariable[], at: ConfigPath): readonly RequestFact[] =>
  variables.flatMap(({ name }) => {
    const fact = factOfVariable(name);
    return fact === undefined ? [] : [{ ...fact, at }];
  });

/** `by` of a limit: what it counts by. */
export const limitBy = () =>
  s.string({
    pattern: /^(ip|consumer|route|header:[A-Za-z0-9!#$%&'*+.^_`|~-]+)$/,
    expected: '`"ip"`, `"consumer"`, `"route"` or `"header:NAME"`',
  });

/** `by` as settings for limitKey() of the run kit. */
export function limitKeyOf(by: string): { by: 'ip' | 'consumer' | 'route' | 'header'; header?: string } {
  if (by.startsWith('header:')) return { by: 'header', header: by.slice('header:'.length).toLowerCase() };
  return { by: by === 'consumer' || by === 'route' ? by : 'ip' };
}

/** A reference to a secret: the secret itself in a spec is an error. `what`: `a secret`, for messages. */
export const secretReference = (what = 'a secret') =>
  s.reference(
    `a reference to ${what}`,
    () => ({
      message: 'A secret must not be written in the spec.',
      help: 'Write a reference: `"${env:NAME}"` or `"${file:path}"`.',
    }),
    { sensitive: true },
  );

/** Text that needs no escapes in a quoted string, such as a realm (RFC 9110 section 5.6.4). */
export const plainText = () =>
  s.string({ pattern: /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, expected: 'plain text without quotes' });

/** Whether the host of a URL, as `hostname` has it, is this machine; RFC 6761 section 6.3 says so of all below `localhost`. */
export const isLoopbackHost = (hostname: string): boolean =>
  /^((.+\.)?localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);

/** Whether a URL is reached in a way that others can read and change: by http, beyond this machine. */
export function isPlainHttp(url: unknown): boolean {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  return parsed?.protocol === 'http:' && !isLoopbackHost(parsed.hostname);
}

/** Whether text is a valid header field value: printable ASCII and tab, RFC 9110 section 5.5. */
export const isFieldText = (text: string): boolean => /^[\t\x20-\x7e]*$/.test(text);

/** Fields that frame a message or belong to one connection; gw writes them, RFC 9110 section 7.6.1. */
const FRAMING = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Why a policy cannot read or write a header field of this name; undefined if it can. */
export function fieldProblem(name: string): string | undefined {
  if (!isToken(name)) return `\`${name}\` is not a valid header field name.`;
  return FRAMING.has(name.toLowerCase())
    ? `\`${name}\` frames the message or belongs to one connection, so only gw may write it.`
    : undefined;
}
