import { resolve } from 'node:path';

/** Where a gateway's admin API is. */
export type Address =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'tcp'; readonly url: URL; readonly token: string | undefined };

/** The environment variable that holds the bearer token of an admin API on TCP. */
export const TOKEN_VARIABLE = 'GW_ADMIN_TOKEN';

/**
 * Reads what `--address` takes: the path of a unix socket (also as `unix:PATH`), `http(s)://host:port`, or `host:port`.
 * Returns a message when it is none of these.
 */
export function parseAddress(text: string, env: NodeJS.ProcessEnv, cwd: string): Address | { readonly error: string } {
  const trimmed = text.trim();
  if (trimmed === '') return { error: 'the address is empty: give the path of a unix socket, or http://host:port' };
  if (trimmed.startsWith('unix:')) return { kind: 'socket', path: resolve(cwd, trimmed.slice('unix:'.length)) };
  const bare = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):\d+$/i.test(trimmed);
  if (!bare && !/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed)) return { kind: 'socket', path: resolve(cwd, trimmed) };
  let url: URL;
  try {
    url = new URL(bare ? `http://${trimmed}` : trimmed);
  } catch {
    return { error: `'${trimmed}' is not an address: give the path of a unix socket, or http://host:port` };
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return { error: `'${url.protocol}//' is not supported: give the path of a unix socket, or http://host:port` };
  }
  if (url.username || url.password) {
    return { error: `an address must not contain credentials: set the token in ${TOKEN_VARIABLE}` };
  }
  return { kind: 'tcp', url, token: env[TOKEN_VARIABLE] || undefined };
}

/** The address as text; never the token. */
export function showAddress(address: Address): string {
  return address.kind === 'socket' ? address.path : address.url.origin;
}
