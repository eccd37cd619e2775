/** Checks a Content-Security-Policy, as Content Security Policy Level 3 describes it. */

/** What is wrong with a part of the text. */
export interface CspFault {
  /** `error`: browsers ignore that part, or read it differently than it looks. `weak`: it allows what it should prevent. */
  readonly kind: 'error' | 'weak';
  readonly message: string;
  readonly help: string;
  /** Offsets in the text. */
  readonly start: number;
  readonly end: number;
}

const FETCH = [
  'child-src',
  'connect-src',
  'default-src',
  'fenced-frame-src',
  'font-src',
  'frame-src',
  'img-src',
  'manifest-src',
  'media-src',
  'object-src',
  'prefetch-src',
  'script-src',
  'script-src-attr',
  'script-src-elem',
  'style-src',
  'style-src-attr',
  'style-src-elem',
  'worker-src',
];
/** Directives with a list of sources. */
const SOURCES: ReadonlySet<string> = new Set([...FETCH, 'base-uri', 'form-action', 'frame-ancestors']);
/** Directives with other values, or none. */
const OTHERS: ReadonlySet<string> = new Set([
  'report-to',
  'report-uri',
  'require-trusted-types-for',
  'sandbox',
  'trusted-types',
  'upgrade-insecure-requests',
  'webrtc',
]);
/** Names that browsers no longer know. */
const GONE: ReadonlySet<string> = new Set([
  'block-all-mixed-content',
  'navigate-to',
  'plugin-types',
  'referrer',
  'reflected-xss',
  'require-sri-for',
]);
const KEYWORDS: ReadonlySet<string> = new Set([
  "'none'",
  "'self'",
  "'unsafe-inline'",
  "'unsafe-eval'",
  "'wasm-unsafe-eval'",
  "'unsafe-hashes'",
  "'strict-dynamic'",
  "'report-sample'",
  "'inline-speculation-rules'",
]);
const HASH_OR_NONCE = /^'(sha(256|384|512)-[A-Za-z0-9+/_-]+={0,2}|nonce-[A-Za-z0-9+/_-]+={0,2})'$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:$/;
const HOST =
  /^([A-Za-z][A-Za-z0-9+.-]*:\/\/)?(\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)(:(\d{1,5}|\*))?(\/[^\s;,]*)?$/;

const DIRECTIVES: readonly string[] = [...SOURCES, ...OTHERS];

interface Word {
  readonly text: string;
  readonly start: number;
}

/** All faults of a Content-Security-Policy, with their offsets in the text. */
export function checkCsp(text: string): readonly CspFault[] {
  const faults: CspFault[] = [];
  const comma = text.search(/[^\x20-\x7e]|,/);
  if (comma >= 0)
    faults.push({
      kind: 'error',
      message:
        text[comma] === ','
          ? 'A comma ends the policy: what follows is another policy, and both apply.'
          : 'The policy contains a character that is not printable ASCII.',
      help: 'Separate directives with `;` and sources with spaces.',
      start: comma,
      end: comma + 1,
    });
  const seen = new Set<string>();
  let offset = 0;
  for (const part of text.split(';')) {
    const words: Word[] = [...part.matchAll(/[^\s,]+/g)].map((found) => ({
      text: found[0],
      start: offset + found.index,
    }));
    offset += part.length + 1;
    const [name, ...values] = words;
    if (name === undefined) continue;
    checkDirective(name, values, seen, faults);
    seen.add(name.text.toLowerCase());
  }
  if (seen.size === 0)
    faults.push({ kind: 'error', message: 'The policy has no directive.', help: HELP, start: 0, end: text.length });
  return faults;
}

const HELP = "For example `default-src 'self'`. For no policy, write `false`.";

function checkDirective(name: Word, values: readonly Word[], seen: ReadonlySet<string>, faults: CspFault[]): void {
  const key = name.text.toLowerCase();
  const at = { start: name.start, end: name.start + name.text.length };
  if (!SOURCES.has(key) && !OTHERS.has(key)) {
    const help = GONE.has(key)
      ? 'Browsers no longer know it: remove it.'
      : `Known directives: ${DIRECTIVES.join(', ')}.`;
    faults.push({ kind: 'error', message: `Unknown directive \`${name.text}\`: browsers ignore it.`, help, ...at });
    return;
  }
  if (seen.has(key))
    faults.push({
      kind: 'error',
      message: `\`${name.text}\` occurs twice: browsers ignore the second one.`,
      help: 'Write all sources into the first one.',
      ...at,
    });
  if (SOURCES.has(key)) checkSources(key, values, faults);
}

function checkSources(directive: string, values: readonly Word[], faults: CspFault[]): void {
  const strict = values.some(({ text }) => /^'(nonce-|sha\d|strict-dynamic)/i.test(text));
  for (const { text, start } of values) {
    const at = { start, end: start + text.length };
    const lower = text.toLowerCase();
    if (lower === "'none'" && values.length > 1)
      faults.push({
        kind: 'error',
        message: "`'none'` beside other sources has no effect.",
        help: "Remove `'none'`, or the other sources.",
        ...at,
      });
    else if (!isSource(text))
      faults.push({
        kind: 'error',
        message: `\`${text}\` is not a source: browsers ignore it.`,
        help: sourceHelp(lower),
        ...at,
      });
    else if (lower.startsWith("'nonce-"))
      faults.push({
        kind: 'weak',
        message: 'The nonce is the same in every reply, so an attacker knows it.',
        help: 'Use hashes, or let the target set the policy with a nonce of its own.',
        ...at,
      });
    else if (/^(default|script)-src/.test(directive)) weakScripts(text, lower, strict, at, faults);
  }
}

function weakScripts(
  text: string,
  lower: string,
  strict: boolean,
  at: { readonly start: number; readonly end: number },
  faults: CspFault[],
): void {
  if (lower === "'unsafe-inline'" && !strict)
    faults.push({
      kind: 'weak',
      message: "`'unsafe-inline'` allows scripts in the page, which is what the policy should prevent.",
      help: "Move scripts into files and allow `'self'`, or allow single scripts by their hash: `'sha256-...'`.",
      ...at,
    });
  if (['*', 'http:', 'https:', 'data:', 'blob:'].includes(lower) && !strict)
    faults.push({
      kind: 'weak',
      message: `\`${text}\` allows scripts from everywhere.`,
      help: 'Name the hosts with scripts.',
      ...at,
    });
}

const isSource = (text: string): boolean =>
  KEYWORDS.has(text.toLowerCase()) ||
  HASH_OR_NONCE.test(text) ||
  SCHEME.test(text) ||
  (HOST.test(text) && !isBareKeyword(text));

/** `self` without quotes is a host of that name. */
const isBareKeyword = (text: string): boolean => KEYWORDS.has(`'${text.toLowerCase()}'`);

const sourceHelp = (lower: string): string =>
  isBareKeyword(lower)
    ? `Write \`'${lower}'\` with quotes; without, it is a host of this name.`
    : "Sources are keywords such as `'self'`, schemes such as `https:`, hosts such as `*.example.com`, and hashes.";
