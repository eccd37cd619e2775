/** Development certificates on disk: which are there, whether they can still be used, and how they are written. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Made } from './make.js';

const DAY = 86_400_000;
/** A server certificate that ends sooner is replaced. */
const SERVER_LEFT = 30 * DAY;
/** An authority that ends sooner than the certificates that it issues is replaced. */
const AUTHORITY_LEFT = 400 * DAY;

/** Of the account, so that one authority serves all projects and is trusted once. */
export function authorityFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  const home = env['HOME'] ?? homedir();
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'gw', 'ca');
  if (platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local'), 'gw', 'ca');
  return join(env['XDG_DATA_HOME'] ?? join(home, '.local', 'share'), 'gw', 'ca');
}

/** A certificate and its key. */
export interface PairFiles {
  readonly cert: string;
  readonly key: string;
}

/** What is in the files; undefined unless both are there. Throws the system's error for a file that cannot be read. */
export function readPair({ cert, key }: PairFiles): Made | undefined {
  if (!existsSync(cert) || !existsSync(key)) return undefined;
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}

/** Writes both, the key for this account only. Throws the system's error. */
export function writePair({ cert, key }: PairFiles, made: Made): void {
  replace(key, made.key, 0o600);
  replace(cert, made.cert, 0o644);
}

function replace(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  try {
    writeFileSync(temporary, text, { flag: 'wx', mode });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Creates a folder if it is missing. Returns whether it was. */
export function makeFolder(path: string, mode: number): boolean {
  return mkdirSync(path, { recursive: true, mode }) !== undefined;
}

/** Whether a key pair can go on as the authority. */
export function isAuthority(pair: Made, now: number): boolean {
  const cert = certificateOf(pair);
  return cert?.ca === true && Date.parse(cert.validTo) - now > AUTHORITY_LEFT;
}

/** Whether a server certificate is of this authority, for exactly these names, and valid for a while. */
export function isCurrent(pair: Made, authority: Made, names: readonly string[], now: number): boolean {
  const cert = certificateOf(pair);
  const issuer = certificateOf(authority);
  if (cert === undefined || issuer === undefined || !cert.checkIssued(issuer) || !cert.verify(issuer.publicKey))
    return false;
  if (Date.parse(cert.validTo) - now < SERVER_LEFT) return false;
  const found = (cert.subjectAltName ?? '')
    .split(', ')
    .map((name) => name.replace(/^(DNS|IP Address):/, '').toLowerCase());
  return [...found].sort().join() === [...new Set(names.map(asPrinted))].sort().join();
}

/** When it ends: the date. */
export const endOf = ({ cert }: Made): string => new Date(new X509Certificate(cert).validTo).toISOString().slice(0, 10);

/** Node prints the groups of an IPv6 address without compression. */
const asPrinted = (name: string): string => {
  if (!name.includes(':')) return name.toLowerCase();
  const [head = '', tail] = name.toLowerCase().split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(zeros).fill('0'), ...after]
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
};

/** Undefined if it cannot be read, or the key is another one. */
function certificateOf({ cert, key }: Made): X509Certificate | undefined {
  try {
    const read = new X509Certificate(cert);
    return read.checkPrivateKey(createPrivateKey(key)) ? read : undefined;
  } catch {
    // Damaged: it is replaced.
    return undefined;
  }
}
