/** Recognises secrets by the name of their key, by their form, or by their entropy. */

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

/** Keys whose value is a secret. Keys that name a field or variable end differently: `token_header`. */
const SECRET_NAME =
  /(password|passwd|passphrase|(^|[_.-])(pass|pwd|secrets?|token|api[_-]?key|access[_-]?key|secret[_-]?key([_-]base)?|private[_-]?key|signing[_-]?key|credentials?|authorization))$/i;

/** Keys whose value is random and public. */
const PUBLIC_NAME =
  /(^|[_.-])(sha|sha1|sha256|commit|rev|revision|build|version|digest|hash|checksum|etag|fingerprint)$/i;

/** All users of the machine can read command lines. */
const ON_COMMAND_LINE = /(?:^|\s)--?[\w-]*(?:password|passwd|secret|token|api[_-]?key)[= ]([^\s${}]{6,})/i;

/** Hashes of passwords in the forms of crypt(3) and PHC. */
const PASSWORD_HASH = /^\$(argon2(id?|d)|2[abxy]|scrypt|pbkdf2[\w-]*)\$/;

const PLACEHOLDER =
  /^(x+|\*+|\.+|<.*>|change-?me|todo|none|example|dummy|optional|required|(en|dis)abled|on|off|true|false|\d{1,3})$/i;

/** The kind of secret that the text at this config path looks like; undefined if none. */
export function secretIn(path: readonly (string | number)[], text: string): string | undefined {
  const form = FORMS.find(([pattern]) => pattern.test(text));
  if (form) return form[1];
  if (path[path.length - 1] === 'command' && ON_COMMAND_LINE.test(text)) return 'a secret on a command line';
  // The value of a template or reference comes from elsewhere.
  if (/[{}]/.test(text) || text.startsWith('sha256:') || PASSWORD_HASH.test(text)) return undefined;
  const name = [...path].reverse().find((step) => typeof step === 'string');
  if (name !== undefined && SECRET_NAME.test(String(name)) && text.length >= 4 && !PLACEHOLDER.test(text)) {
    return `the value of \`${name}\``;
  }
  if (name !== undefined && PUBLIC_NAME.test(String(name))) return undefined;
  return isRandom(text) ? 'a random key' : undefined;
}

const SHORTEST_RANDOM = 24;
/** Bits per character: words and paths are below, random base64 and hex of that length are above. */
const RANDOM_BASE64 = 4;
const RANDOM_HEX = 3;
/** Share of a text in runs of small letters: about a sixth in random base64. */
const WORDS = 0.45;

function isRandom(text: string): boolean {
  // Paths are long and mixed too.
  if (text.length < SHORTEST_RANDOM || !/\d/.test(text) || /^[./]/.test(text)) return false;
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return false;
  if (/^[0-9a-f]{32,}$/i.test(text)) return entropy(text) > RANDOM_HEX;
  return (
    /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) &&
    /[a-z]/.test(text) &&
    /[A-Z]/.test(text) &&
    !isMadeOfWords(text) &&
    entropy(text) > RANDOM_BASE64
  );
}

/** Names such as `X-Requested-With-Version2` mix letters too, but consist of words; random text has few runs of small letters. */
function isMadeOfWords(text: string): boolean {
  const inWords = (text.match(/[a-z]{3,}/g) ?? []).join('').length;
  return inWords / text.length > WORDS;
}

/** Shannon entropy in bits per character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
