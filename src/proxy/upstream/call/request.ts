/** The request of a call: checked once, written for each target that is asked. */
import type { CallRequest } from '../../../contract/index.js';
import { isToken, readyField } from '../../../field-syntax.js';
import { TARGET } from '../../http/chars.js';
import { Authority, readAuthority } from '../../http/host.js';
import { isOwnFraming } from '../../http/own-names.js';

/** Longest path with its query, and most bytes of all fields: a head that servers accept. */
const MAX_PATH = 16 * 1024;
const MAX_FIELDS = 64 * 1024;

/** Methods whose requests announce an empty body too, RFC 9110 section 8.6. */
const WITH_CONTENT = new Set(['POST', 'PUT', 'PATCH']);

/** The target, as the head names it. */
export interface CallDestination {
  /** The authority as a Host line. */
  readonly hostLine: string;
  /** Path in front of every path, without a slash at its end. */
  readonly basePath: string;
}

export class OutgoingCall {
  readonly method: string;
  readonly path: string;
  /** Empty for none. */
  readonly body: Buffer;
  readonly #host: string;
  readonly #lines: string;

  /**
   * `id`: the x-request-id. Throws TypeError for a method, path, field or Host that cannot be sent. Fields that only gw writes
   * (framing, hop-by-hop, Via, x-request-id) are dropped.
   */
  constructor(request: CallRequest, id: string) {
    const { method, path, body = '' } = request;
    if (!isToken(method) || method === 'CONNECT') throw new TypeError(`Not a method: ${JSON.stringify(method)}`);
    if (!isPath(path)) throw new TypeError(`Not a path: ${JSON.stringify(path.slice(0, 100))}`);
    this.method = method;
    this.path = path;
    this.body = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);
    const { host, lines } = fieldsOf(request.headers ?? []);
    this.#host = host;
    const length = this.body.length > 0 || WITH_CONTENT.has(method) ? `content-length: ${this.body.length}\r\n` : '';
    this.#lines = `${lines}via: 1.1 gw\r\nx-request-id: ${id}\r\n${length}\r\n`;
  }

  /** The head for a target, with the empty line. */
  head({ basePath, hostLine }: CallDestination): string {
    return `${this.method} ${basePath}${this.path} HTTP/1.1\r\n${this.#host === '' ? hostLine : this.#host}${this.#lines}`;
  }
}

function isPath(path: string): boolean {
  if (!path.startsWith('/') || path.length > MAX_PATH) return false;
  for (let i = 0; i < path.length; i++) if (TARGET[path.charCodeAt(i)] !== 1) return false;
  return true;
}

/** `host`: the Host line, '' if there is none. */
function fieldsOf(headers: NonNullable<CallRequest['headers']>): { host: string; lines: string } {
  let host = '';
  let lines = '';
  let agent = 'user-agent: gw\r\n';
  for (const [given, value] of headers) {
    const { name, line } = readyField(given, value);
    if (name === 'host') host = hostLineOf(value);
    else if (!isOwnFraming(name) && name !== 'via' && name !== 'expect') lines += line;
    if (name === 'user-agent') agent = '';
    if (lines.length > MAX_FIELDS) throw new TypeError(`The fields of a call have more than ${MAX_FIELDS} bytes`);
  }
  return { host, lines: agent + lines };
}

function hostLineOf(value: string): string {
  const authority = new Authority();
  if (!readAuthority(authority, value, 0, value.length)) throw new TypeError(`Not a Host: ${JSON.stringify(value)}`);
  return `host: ${authority.authority}\r\n`;
}
