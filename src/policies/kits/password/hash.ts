/**
 * Hashes of passwords as files and specs hold them: bcrypt in its own form, scrypt and argon2 as PHC strings. Read by the
 * compiler and at run time. The cost of a hash is bounded: each attempt, also one with a wrong password, pays it.
 */

export interface BcryptHash {
  readonly kind: 'bcrypt';
  readonly text: string;
  readonly cost: number;
}

export interface ScryptHash {
  readonly kind: 'scrypt';
  readonly text: string;
  /** Binary logarithm of N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  /** Base64 without padding, here and below. */
  readonly salt: string;
  readonly hash: string;
}

export interface Argon2Hash {
  readonly kind: 'argon2id' | 'argon2i' | 'argon2d';
  readonly text: string;
  readonly version: number;
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
  readonly salt: string;
  readonly hash: string;
}

export type PasswordHash = BcryptHash | ScryptHash | Argon2Hash;

/** Why a text cannot be used. Names no part of the text. */
export interface HashFault {
  /** A phrase that follows the name of the hash: `is an MD5 hash (apr1)`. */
  readonly fault: string;
  readonly help: string;
}

const MIB = 1024 ** 2;

/** About a second of one core each. */
const MAX_BCRYPT_COST = 13;
const MAX_MEMORY = 128 * MIB;
/** Bytes that all passes of argon2, or all blocks of scrypt, go through. */
const MAX_WORK = 1024 * MIB;
const MAX_LANES = 16;

const BASE64 = '[A-Za-z0-9+/]';
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const SCRYPT = new RegExp(`^\\$scrypt\\$ln=(\\d{1,2}),r=(\\d{1,4}),p=(\\d{1,4})\\$(${BASE64}+)\\$(${BASE64}+)$`);
const ARGON2 = new RegExp(
  `^\\$(argon2(?:id|i|d))\\$v=(16|19)\\$m=(\\d{1,10}),t=(\\d{1,10}),p=(\\d{1,3})\\$(${BASE64}+)\\$(${BASE64}+)$`,
);

/** Characters of base64 for salts and hashes: 8 to 64 bytes, and 16 to 64 bytes. */
const SALT = [11, 86] as const;
const HASH = [22, 86] as const;

const within = (text: string, [least, most]: readonly [number, number]): boolean =>
  text.length >= least && text.length <= most && text.length % 4 !== 1;

/** The parts of a hash, or why it is refused. */
export function readPasswordHash(text: string): PasswordHash | HashFault {
  if (/^\$2[a-z]?\$/.test(text)) return readBcrypt(text);
  if (text.startsWith('$scrypt$')) return readScrypt(text);
  if (text.startsWith('$argon2')) return readArgon2(text);
  return { fault: otherKind(text), help: NEW_HASH };
}

const NEW_HASH =
  'Hash the password with bcrypt (`htpasswd -B -C 10 FILE USER`), or write a PHC string of argon2id or scrypt.';

const broken = (kind: string): HashFault => ({ fault: `is not a valid ${kind} hash`, help: NEW_HASH });

const tooCostly = (what: string, most: string): HashFault => ({
  fault: `is too costly to check: ${what}`,
  help: `Hash the password again with ${most}: every attempt to log in, also one with a wrong password, pays this cost.`,
});

function readBcrypt(text: string): PasswordHash | HashFault {
  if (text.startsWith('$2x$'))
    return { fault: 'was made by a defective version of bcrypt (`$2x$`)', help: 'Hash the password again.' };
  const cost = Number(BCRYPT.exec(text)?.[1]);
  if (!(cost >= 4 && cost <= 31)) return broken('bcrypt');
  if (cost > MAX_BCRYPT_COST) return tooCostly(`bcrypt with cost ${cost}`, `a cost of at most ${MAX_BCRYPT_COST}`);
  return { kind: 'bcrypt', text, cost };
}

function readScrypt(text: string): PasswordHash | HashFault {
  const [, ...numbers] = SCRYPT.exec(text) ?? [];
  const [ln = 0, r = 0, p = 0] = numbers.slice(0, 3).map(Number);
  const [salt = '', hash = ''] = numbers.slice(3);
  if (ln < 1 || r < 1 || p < 1 || !within(salt, SALT) || !within(hash, HASH)) return broken('scrypt');
  const memory = 128 * r * 2 ** ln;
  if (memory > MAX_MEMORY || memory * p > MAX_WORK || 128 * r * p > MAX_MEMORY)
    return tooCostly(`scrypt with ln=${ln}, r=${r}, p=${p}`, 'at most `ln=17,r=8,p=1` (128 MiB)');
  return { kind: 'scrypt', text, ln, r, p, salt, hash };
}

function readArgon2(text: string): PasswordHash | HashFault {
  const [, kind, version = '', m, t, p, salt = '', hash = ''] = ARGON2.exec(text) ?? [];
  const [memory, passes, lanes] = [Number(m), Number(t), Number(p)];
  const valid = memory >= 8 * lanes && passes >= 1 && lanes >= 1 && within(salt, SALT) && within(hash, HASH);
  if (!valid) return broken('argon2');
  if (memory * 1024 > MAX_MEMORY || memory * 1024 * passes > MAX_WORK || lanes > MAX_LANES) {
    const most = 'at most 128 MiB (`m=131072`), and at most 1 GiB over all passes (`m` times `t`)';
    return tooCostly(`argon2 with m=${memory}, t=${passes}, p=${lanes}`, most);
  }
  return { kind: kind as Argon2Hash['kind'], text, version: Number(version), memory, passes, lanes, salt, hash };
}

/** What a text is that gw does not accept. */
function otherKind(text: string): string {
  if (text.startsWith('$apr1$') || text.startsWith('$1$'))
    return 'is an MD5 hash (apr1), which one graphics card tries millions of passwords a second against';
  if (/^\{S?SHA\d*\}/i.test(text))
    return 'is a plain SHA hash, which one graphics card tries billions of passwords a second against';
  if (/^\$(5|6|7|y|gy|sha1|md5)[$,]/.test(text)) return 'is a hash of the crypt family, which gw does not check';
  if (/^[./A-Za-z0-9]{13}$/.test(text)) return 'is a DES hash (crypt) or plain text';
  return text.startsWith('$') ? 'is of a kind that gw does not know' : 'is plain text';
}

/** Kind and parameters of a hash: hashes with the same cost have the same one. */
export function costOf(hash: PasswordHash): string {
  switch (hash.kind) {
    case 'bcrypt':
      return `$2b$${String(hash.cost).padStart(2, '0')}$`;
    case 'scrypt':
      return `$scrypt$ln=${hash.ln},r=${hash.r},p=${hash.p}`;
    default:
      return `$${hash.kind}$v=${hash.version}$m=${hash.memory},t=${hash.passes},p=${hash.lanes}`;
  }
}

/**
 * A hash with the cost of costOf(), which takes the same work to check, for users that do not exist. A password that it
 * accepts is not known; callers must not accept one either.
 */
export function dummyHash(cost: string): PasswordHash {
  const hash = readPasswordHash(dummyText(cost));
  if ('fault' in hash) throw new Error(`The cost of a password hash cannot be used: it ${hash.fault}`);
  return hash;
}

/** The text of such a hash. */
export const dummyText = (cost: string): string =>
  cost.startsWith('$2b$') ? `${cost}${'.'.repeat(53)}` : `${cost}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** What OWASP recommends: the cost of unknown users if no user is known. */
export const USUAL_COST = '$argon2id$v=19$m=19456,t=2,p=1';
