/** Recognises secrets by where they stand, by their form, or by how random they are. */

const FORMS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key'],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/, 'a JSON Web Token'],
  [/\b(AKIA|ASIA)[A-Z0-9]{16}\b/, 'an AWS access key'],
  [/\bgh[pousr]_[A-Za-z0-9]{30,}/, 'a GitHub token'],
  [/\bglpat-[A-Za-z0-9_-]{20,}/, 'a GitLab token'],
  [/\b[sr]k_live_[A-Za-z0-9]{10,}/, 'a Stripe key'],
  [/\bxox[abprs]-[A-Za-z0-9-]{10,}/, 'a Slack token'],
  [/\bAIza[A-Za-z0-9_-]{30,}/, 'a Google API key'],
  [/^(Bearer|Token)\s+[^\s{}$]{8,}$/i, 'a bearer token'],
  [/^Basic\s+[A-Za-z0-9+/]{8,}={0,2}$/i, 'a user name and password'],
  [/^[a-z][a-z0-9+.-]*:\/\/[^/\s:@{]+:[^/\s@{]+@/i, 'a password in a URL'],
];

/** Names whose value is a secret. Settings that name a field or variable (`token_header`) end otherwise. */
const SECRET_NAME =
  /(^|[_.-])(password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|credentials?|authorization)$/i;

const PLACEHOLDER = /^(x+|\*+|\.+|<.*>|change-?me|todo|none|example|true|false|\d{1,3})$/i;

/** What kind of secret the text at this path of a config looks like; undefined when like none. */
export function secretIn(path: readonly (string | number)[], text: string): string | undefined {
  const form = FORMS.find(([pattern]) => pattern.test(text));
  if (form) return form[1];
  // A template or reference puts the value together from elsewhere.
  if (/[{}]/.test(text) || text.startsWith('sha256:')) return undefined;
  const name = [...path].reverse().find((step) => typeof step === 'string');
  if (name !== undefined && SECRET_NAME.test(String(name)) && text.length >= 4 && !PLACEHOLDER.test(text)) {
    return `the value of \`${name}\``;
  }
  return isRandom(text) ? 'a random key' : undefined;
}

const SHORTEST_RANDOM = 24;
/** Bits a character: words and paths stay below, random base64 and hex of that length are above. */
const RANDOM_BASE64 = 4;
const RANDOM_HEX = 3;

function isRandom(text: string): boolean {
  // A path, absolute or relative, is long and mixed as well.
  if (text.length < SHORTEST_RANDOM || !/\d/.test(text) || /^[./]/.test(text)) return false;
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return false;
  if (/^[0-9a-f]{32,}$/i.test(text)) return entropy(text) > RANDOM_HEX;
  return (
    /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) && /[a-z]/.test(text) && /[A-Z]/.test(text) && entropy(text) > RANDOM_BASE64
  );
}

/** Shannon's, over the characters of the text, in bits a character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
