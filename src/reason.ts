const REASONS: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EEXIST: 'something of that name is there already',
  EROFS: 'its file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of its disk is used up',
  EFBIG: 'it would be larger than a file may be',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is no folder',
  ELOOP: 'its symbolic links go in circles',
  ENAMETOOLONG: 'the path is too long',
  EIO: 'the system cannot read or write it',
  ENXIO: 'it is a socket, or a device that is not there',
  EAGAIN: 'it gives nothing to read at the moment',
  ERR_INVALID_ARG_VALUE: 'no path holds a NUL character',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  EPIPE: 'its reader is gone',
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'the name does not resolve',
  EAI_AGAIN: 'the name does not resolve at the moment',
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the other side cut the connection',
  ETIMEDOUT: 'there was no answer in time',
  EHOSTUNREACH: 'no way leads to that host',
  ENETUNREACH: 'no way leads to that network',
};

/** Of an error of the system's (`ENOENT`), and of many that Node makes. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** What an error says, raw. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Why the system refused something, in words that follow a colon; what is no refusal of the system's speaks for itself.
 * `doing`: what was tried. A file that is not there is written for the first time: then its folder is missing.
 */
export function reasonOf(error: unknown, doing: 'read' | 'write' = 'read'): string {
  const code = codeOf(error);
  if (code === 'ENOENT' && doing === 'write') return 'there is no such folder';
  return (code === undefined ? undefined : REASONS[code]) ?? messageOf(error);
}
