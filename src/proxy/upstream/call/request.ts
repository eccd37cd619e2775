/** The request of a call: checked once, written for each target that is asked. */
import type { CallRequest } from '../../../contract/index.js';
import { isToken, readyField } from '../../../field-syntax.js';
import { TARGET } from '../../http/chars.js';
import { HeadFields } from '../../http/fields.js';
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
  /** The Host that the caller chose; undefined: that of the target. */
  readonly host: string | undefined;
  /** The caller's fields, and those of gw, as lines. */
  readonly #lines: string;
  readonly #own: string;

  /**
   * `id`: the x-request-id. Throws TypeError for a method, path, field or Host that cannot be sent. Fields that only gw writes
   * (framing, hop-by-hop, Via, x-request-id) are dropped.
   */
  constructor(request: CallRequest, id: string) {
    const { method, path, body = '' } = request;
    assertLine(method, path);
    this.method = method;
    this.path = path;
    this.body = bytesOf(body);
    const { host, lines, agent } = endToEndLines(request.headers ?? []);
    this.host = host === undefined ? undefined : authorityOf(host);
    this.#lines = `${agent ? '' : 'user-agent: gw\r\n'}${lines}`;
    this.#own = `via: 1.1 gw\r\nx-request-id: ${id}\r\n${lengthLine(method, this.body)}`;
  }

  /** The caller's fields, to be edited for one attempt. */
  fields(): HeadFields {
    return new HeadFields(this.#lines, 0, this.#lines.length, this.#lines, '');
  }

  /** The head for a target, with the empty line. */
  head({ basePath, hostLine }: CallDestination, edited?: HeadFields): string {
    const host = this.host === undefined ? hostLine : `host: ${this.host}\r\n`;
    const lines = edited === undefined ? this.#lines + this.#own : edited.lines(this.#own);
    return `${this.method} ${basePath}${this.path} HTTP/1.1\r\n${host}${lines}\r\n`;
  }
}

/** A body as bytes, without a copy. */
export const bytesOf = (body: Uint8Array | string): Buffer =>
  typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);

/** The line that announces a body that is all here; '' if the request announces none. */
export const lengthLine = (method: string, body: Buffer): string =>
  body.length > 0 || WITH_CONTENT.has(method) ? `content-length: ${body.length}\r\n` : '';

/** Throws TypeError for a method or a path with query that cannot be sent. */
export function assertLine(method: string, path: string): void {
  if (!isToken(method) || method === 'CONNECT') throw new TypeError(`Not a method: ${JSON.stringify(method)}`);
  if (!isPath(path)) throw new TypeError(`Not a path: ${JSON.stringify(path.slice(0, 100))}`);
}

function isPath(path: string): boolean {
  if (!path.startsWith('/') || path.length > MAX_PATH) return false;
  for (let i = 0; i < path.length; i++) if (TARGET[path.charCodeAt(i)] !== 1) return false;
  return true;
}

type Fields = NonNullable<CallRequest['headers']>;

/**
 * The lines of the fields that a policy may send, without Host; `agent`: with a User-Agent. Throws TypeError for a name or value
 * that RFC 9110 section 5 forbids, and for too many bytes.
 */
export function endToEndLines(headers: Fields): { lines: string; host: string | undefined; agent: boolean } {
  let host: string | undefined;
  let agent = false;
  let lines = '';
  for (const [given, value] of headers) {
    const { name, line } = readyField(given, value);
    if (name === 'host') host = value;
    else if (!isOwnFraming(name) && name !== 'via' && name !== 'expect') lines += line;
    if (name === 'user-agent') agent = true;
    if (lines.length > MAX_FIELDS) throw new TypeError(`The fields of a request have more than ${MAX_FIELDS} bytes`);
  }
  return { lines, host, agent };
}

function authorityOf(value: string): string {
  const authority = new Authority();
  if (!readAuthority(authority, value, 0, value.length)) throw new TypeError(`Not a Host: ${JSON.stringify(value)}`);
  return authority.authority;
}
