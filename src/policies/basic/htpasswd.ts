/** htpasswd files: a user on each line, `NAME:HASH`. Read by the compiler. */
import { type PasswordHash, readPasswordHash } from '../kits/password/hash.js';

export interface FileUser {
  /** NFC, as RFC 7617 section 2.1 asks. */
  readonly name: string;
  readonly hash: PasswordHash;
  /** Offset of the line. */
  readonly start: number;
  readonly end: number;
}

/** What is wrong with a line. Quotes nothing of it: it may be a password. */
export interface LineFault {
  readonly what: 'line' | 'hash';
  /** A phrase that follows `The hash` or `The line`. */
  readonly fault: string;
  readonly help: string;
  /** Of the part that is wrong. */
  readonly start: number;
  readonly end: number;
}

const MAX_NAME = 255;

/** The users of a file and its faults, in the order of the lines. Empty lines and those that begin with `#` are skipped. */
export function readHtpasswd(text: string): {
  readonly users: readonly FileUser[];
  readonly faults: readonly LineFault[];
} {
  const users: FileUser[] = [];
  const faults: LineFault[] = [];
  for (let start = text.startsWith('\ufeff') ? 1 : 0; start < text.length; ) {
    const feed = text.indexOf('\n', start);
    const next = feed < 0 ? text.length : feed;
    const end = text[next - 1] === '\r' && next > start ? next - 1 : next;
    const line = text.slice(start, end);
    if (line.trim() !== '' && !line.startsWith('#')) {
      const read = readLine(line, start);
      if ('fault' in read) faults.push(read);
      else users.push(read);
    }
    start = next + 1;
  }
  return { users, faults };
}

function readLine(line: string, start: number): FileUser | LineFault {
  const colon = line.indexOf(':');
  const end = start + line.length;
  if (colon < 0) return { what: 'line', fault: 'has no colon', help: 'Write `NAME:HASH` on each line.', start, end };
  const name = line.slice(0, colon);
  const fault = nameFault(name);
  if (fault !== undefined) return { what: 'line', ...fault, start, end: start + colon };
  // Other tools write a comment behind a second colon.
  const second = line.indexOf(':', colon + 1);
  const place = { start: start + colon + 1, end: second < 0 ? end : start + second };
  const hash = readPasswordHash(line.slice(colon + 1, second < 0 ? undefined : second));
  if ('fault' in hash) return { what: 'hash', ...hash, ...place };
  return { name: name.normalize('NFC'), hash, start, end };
}

function nameFault(name: string): Pick<LineFault, 'fault' | 'help'> | undefined {
  if (name === '') return { fault: 'has no user name', help: 'Write `NAME:HASH` on each line.' };
  if (/[\x00-\x1f\x7f]/.test(name))
    return { fault: 'has a control character in the user name', help: 'RFC 7617 allows none. Rename the user.' };
  if (name.length > MAX_NAME)
    return { fault: `has a user name of more than ${MAX_NAME} characters`, help: 'Use a shorter name.' };
  return undefined;
}
