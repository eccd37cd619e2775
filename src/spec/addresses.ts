/** Addresses to listen on, and blocks of addresses. */
import { isIP } from 'node:net';
import { type Problem, quoted, s } from '../schema/declare.js';

/** What is wrong with an address to listen on; undefined if it is valid. */
export function addressProblem(text: string): Problem | undefined {
  const found = /^(\[[^\]]*\]|[^:\s/]*):(\d{1,5})$/.exec(text);
  const message = `Expected an address such as \`"127.0.0.1:8080"\` or \`":8080"\`, found ${quoted(text)}.`;
  if (!found || Number(found[2]) > 65_535) {
    const port = /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
    const help = port
      ? `Add a host: \`":${text}"\` binds all interfaces, \`"127.0.0.1:${text}"\` only this machine.`
      : 'Write `host:port` without a scheme; an IPv6 address needs brackets: `[::1]:8080`.';
    return { message, help };
  }
  const host = found[1] ?? '';
  const isV6 = host.startsWith('[');
  const right = isV6
    ? isIP(host.slice(1, -1)) === 6
    : /^[\d.]+$/.test(host)
      ? isIP(host) === 4
      : /^[\w.-]*$/.test(host);
  if (right) return undefined;
  const help =
    host === '*' ? `Leave the host empty for all interfaces: \`":${found[2]}"\`.` : `\`${host}\` is not a valid host.`;
  return { message, help };
}

// A new schema per use, because describe() sets its purpose.
export const address = () =>
  s
    .reference('an address such as `"127.0.0.1:8080"`', addressProblem)
    .describe(
      '`host:port` to bind. An empty host binds all interfaces; with port 0 the system chooses the port.',
      '127.0.0.1:8080',
    );

/** The longest path of a unix socket on all systems, without the byte that ends it. */
const LONGEST_PATH = 103;

function unixProblem(text: string): Problem | undefined {
  const path = text.slice(5);
  const message = `Expected the path of a unix socket such as \`"unix:/run/gw/http.sock"\`, found ${quoted(text)}.`;
  if (!/^\/[^?#%\\\s]*[^/?#%\\\s]$/.test(path))
    return { message, help: 'Write an absolute path without spaces, `?`, `#`, `%` and backslashes.' };
  if (Buffer.byteLength(path) <= LONGEST_PATH) return undefined;
  return { message, help: `The system allows at most ${LONGEST_PATH} bytes. Choose a shorter path.` };
}

/** What is wrong with `host:port` or `unix:/path`; undefined if it is valid. */
const listenerProblem = (text: string): Problem | undefined =>
  text.startsWith('unix:') ? unixProblem(text) : addressProblem(text);

/** What is wrong with a target `unix:/path`. */
export const unixTargetProblem = unixProblem;

export const listenerAddress = () =>
  s
    .reference('an address such as `"127.0.0.1:8080"`', listenerProblem)
    .describe(
      '`host:port` to bind. An empty host binds all interfaces; with port 0 the system chooses the port. Or `unix:/path`, a unix socket.',
      '127.0.0.1:8080',
    );

/** What is wrong with an address or CIDR block; undefined if it is valid. */
export function blockProblem(text: string): string | undefined {
  const [host = '', bits, ...more] = text.split('/');
  const family = isIP(host);
  const most = family === 6 ? 128 : 32;
  const right =
    family !== 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most));
  return right ? undefined : `Expected an IP address or a CIDR block such as \`"10.0.0.0/8"\`, found ${quoted(text)}.`;
}
