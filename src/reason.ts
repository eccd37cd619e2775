const REASONS: { readonly [code: string]: string } = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EEXIST: 'the name is in use already',
  EROFS: 'read-only file system',
  ENOSPC: 'disk full',
  EDQUOT: 'disk quota exceeded',
  EFBIG: 'file too large for the file system',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ELOOP: 'its symbolic links form a loop',
  ENAMETOOLONG: 'path too long',
  EIO: 'input/output error',
  ENXIO: 'it is a socket, or a device that does not exist',
  EAGAIN: 'no data available at the moment',
  ERR_INVALID_ARG_VALUE: 'a path cannot contain a NUL character',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  EPIPE: 'reader closed the pipe',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'not an address of this machine',
  ENOTFOUND: 'unknown host',
  EAI_AGAIN: 'temporary name lookup failure',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by the other side',
  ETIMEDOUT: 'timed out',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
};

/** The code of an error of the system (`ENOENT`) or of Node (`ERR_INVALID_ARG_VALUE`); undefined for an error without one. */
export const errnoCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** The message of an error; the text of any other value that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Why an operation failed, as a phrase that follows a colon or stands in the field `cause`. An error without a known code
 * gives its own message. `doing`: what was tried; ENOENT on a write means that the folder is missing.
 */
export function reasonOf(error: unknown, doing: 'read' | 'write' = 'read'): string {
  const code = errnoCode(error);
  if (code === 'ENOENT' && doing === 'write') return 'no such folder';
  return (code === undefined ? undefined : REASONS[code]) ?? messageOf(error);
}
