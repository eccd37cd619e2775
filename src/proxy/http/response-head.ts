/**
 * Parses reply heads of targets, RFC 9112 section 4, as strictly as request heads: an ambiguous head is invalid. One
 * scan over one latin1 string; the field lines for the client stay one string, cut only where a line is dropped.
 */
import type { BodyKind } from './body.js';
import {
  BLANK,
  COLON,
  CR,
  equalsLower,
  FIELD,
  isToken,
  LF,
  parseDigits,
  SP,
  span,
  TOKEN,
  tabAfter,
  trimEnd,
} from './chars.js';
import { connectionOptions, MAX_LISTED } from './field-values.js';
import { byteText, lineFault } from './head-fault.js';
import { KnownReplies, type KnownReply, ParsedReply } from './known-heads.js';

/** Most bytes and fields of a target's reply head. */
export const MAX_RESPONSE_HEAD = 64 * 1024;
const MAX_RESPONSE_FIELDS = 256;

/** RFC 9110 section 15.3.6. */
export const RESET_CONTENT = 'status 205 with content';

const INCOMPLETE = 0;
const REFUSED = -1;
const KEEP = 1;
const DROP = 0;

export class ResponseHead extends ParsedReply {
  text = '';
  /** The same head from an earlier reply, if there was one. */
  known: KnownReply | undefined = undefined;
  /** Why parse() refused the head, and where. */
  fault = '';
  #runAt = 0;
  #keepAlive = false;
  readonly #known = new KnownReplies();

  /**
   * Parses one head from text[0..]. Returns its length, 0 if it is incomplete, -1 if it is invalid: `fault` says why.
   */
  parse(text: string): number {
    this.text = text;
    const known = this.#known.find(text, this);
    this.known = known;
    if (known !== undefined) return known.text.length;
    const length = this.#parse(text);
    if (length > 0) this.#known.keep(text, length, this);
    return length;
  }

  /** The same for buffer[from, to). */
  read(buffer: Buffer, from: number, to: number): number {
    const known = this.#known.findRepeated(buffer, from, to, this);
    if (known === undefined) return this.parse(buffer.toString('latin1', from, to));
    this.text = known.text;
    this.known = known;
    return known.text.length;
  }

  /** Why the announced length is invalid; undefined if it is valid. `toHead`: a reply to HEAD. */
  lengthFault(toHead: boolean): string | undefined {
    if (this.status !== 205 || this.contentLength <= 0 || toHead) return undefined;
    return `${RESET_CONTENT} (Content-Length ${this.contentLength})`;
  }

  /** Refuses the head for the bytes at `at`. */
  #refuse(rule: string, at: number): -1 {
    this.fault = `${rule} at byte ${at} of the head`;
    return REFUSED;
  }

  #incomplete(text: string): number {
    return text.length >= MAX_RESPONSE_HEAD ? this.#refuse('head too long', MAX_RESPONSE_HEAD) : INCOMPLETE;
  }

  /** How the body is framed, RFC 9112 section 6.3. `toHead`: a reply to HEAD. */
  bodyKind(toHead: boolean): BodyKind {
    if (toHead || this.status === 204 || this.status === 304) return 'none';
    if (this.chunked) return 'chunked';
    return this.contentLength >= 0 ? 'length' : 'close';
  }

  #parse(text: string): number {
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.hasDate = false;
    this.listed = '';
    this.kept = '';
    this.#keepAlive = false;
    const fieldsAt = this.#statusLine(text);
    if (fieldsAt <= 0) return fieldsAt === INCOMPLETE ? this.#incomplete(text) : REFUSED;
    this.fieldsAt = fieldsAt;
    this.#runAt = fieldsAt;
    const end = this.#fields(text, fieldsAt);
    if (end <= 0) return end === INCOMPLETE ? this.#incomplete(text) : REFUSED;
    this.fieldsEnd = end;
    if (this.#runAt < end) this.kept += text.slice(this.#runAt, end);
    if (this.minor === 0 && !this.#keepAlive) this.close = true;
    if ((this.status < 200 || this.status === 204) && !this.#bodiless())
      return this.#refuse(`status ${this.status} with a body, or as the last reply of its connection`, end);
    return end + 2;
  }

  /**
   * 1xx and 204 have no body and no framing fields (RFC 9110 section 8.6, RFC 9112 section 6.1). A target that sends
   * framing fields may also send a body: the connection closes after such a 204, and such a 1xx is invalid, since its
   * final reply follows on the same connection. HTTP/1.0 has no 1xx.
   */
  #bodiless(): boolean {
    const framed = this.chunked || this.contentLength > 0;
    // A 1xx that closes the connection would leave no connection for the final reply.
    if (this.status < 200) return !framed && !this.close && this.minor === 1;
    if (framed) this.close = true;
    return true;
  }

  #statusLine(text: string): number {
    if (text.length < 13) return 'HTTP/1.'.startsWith(text.slice(0, 7)) ? INCOMPLETE : this.#noHttp(text);
    if (!text.startsWith('HTTP/1.')) return this.#noHttp(text);
    const minor = text.charCodeAt(7) - 0x30;
    if (!(minor >= 0 && minor <= 9)) return this.#refuse('invalid HTTP version', 7);
    if (text.charCodeAt(8) !== SP) return this.#refuse('no space after the HTTP version', 8);
    const status = parseDigits(text, 9, 12);
    if (status < 100 || status > 599) return this.#refuse('status code is not between 100 and 599', 9);
    let at = 12;
    // Many servers omit the space before an empty reason; nothing else may follow the status.
    if (text.charCodeAt(at) === SP) {
      at = span(FIELD, text, at + 1);
    }
    if (at >= text.length - 1 && (at === text.length || text.charCodeAt(at) === CR)) return INCOMPLETE;
    if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF)
      return this.#refuse(`${byteText(text, at)} in the status line`, at);
    // A higher minor version may be handled as 1.1: RFC 9110 section 6.2.
    this.minor = minor === 0 ? 0 : 1;
    this.status = status;
    this.statusText = at === 12 ? `${text.slice(9, at)} ` : text.slice(9, at);
    return at + 2;
  }

  #noHttp(text: string): -1 {
    if (text.startsWith('HTTP/')) return this.#refuse('HTTP version is not 1.x', 5);
    const tls = (text.charCodeAt(0) === 0x15 || text.charCodeAt(0) === 0x16) && text.charCodeAt(1) === 0x03;
    if (isSettings(text)) return this.#refuse('HTTP/2 in place of HTTP/1.1 (protocol of the service)', 0);
    return this.#refuse(tls ? 'a TLS record in place of HTTP' : 'no HTTP status line', 0);
  }

  // The same loop as for requests, except for the checks that only requests need (underscores, limits of a listener).
  // One shared loop, over methods of two classes, was measured to cost both sides 1 to 5 % more.
  #fields(text: string, start: number): number {
    let line = start;
    for (let count = 0; ; count++) {
      let at = span(TOKEN, text, line);
      if (at === text.length) return INCOMPLETE;
      if (at === line) {
        if (text.charCodeAt(at) !== CR) return this.#refuse(lineFault(text, line, at), at);
        if (at + 1 === text.length) return INCOMPLETE;
        return text.charCodeAt(at + 1) === LF ? line : this.#refuse(byteText(text, at), at);
      }
      if (text.charCodeAt(at) !== COLON) return this.#refuse(lineFault(text, line, at), at);
      if (count >= MAX_RESPONSE_FIELDS) return this.#refuse(`more than ${MAX_RESPONSE_FIELDS} fields`, line);
      const nameEnd = at;
      const valueAt = span(BLANK, text, nameEnd + 1);
      at = span(FIELD, text, valueAt);
      if (at >= text.length - 1 && (at === text.length || text.charCodeAt(at) === CR)) return INCOMPLETE;
      if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF)
        return this.#refuse(lineFault(text, line, at), at);
      const next = at + 2;
      if (!this.#field(text, line, nameEnd, valueAt, trimEnd(text, valueAt, at), next)) return REFUSED;
      line = next;
    }
  }

  #field(text: string, line: number, nameEnd: number, valueAt: number, valueEnd: number, next: number): boolean {
    const verdict = this.#special(text, line, nameEnd, valueAt, valueEnd);
    if (verdict === REFUSED) return false;
    const canonical = valueAt === nameEnd + 2 && valueEnd === next - 2 && text.charCodeAt(nameEnd + 1) === SP;
    if (verdict === KEEP && canonical) return true;
    if (this.#runAt < line) this.kept += text.slice(this.#runAt, line);
    if (verdict === KEEP) this.kept += `${text.slice(line, nameEnd)}: ${text.slice(valueAt, valueEnd)}\r\n`;
    this.#runAt = next;
    return true;
  }

  #special(text: string, line: number, nameEnd: number, valueAt: number, valueEnd: number): number {
    switch (nameEnd - line) {
      case 2:
        return equalsLower(text, line, nameEnd, 'te') ? DROP : KEEP;
      case 4:
        if (equalsLower(text, line, nameEnd, 'date')) this.hasDate = true;
        return KEEP;
      case 7:
        return equalsLower(text, line, nameEnd, 'upgrade') || equalsLower(text, line, nameEnd, 'trailer') ? DROP : KEEP;
      case 10:
        if (equalsLower(text, line, nameEnd, 'connection')) return this.#connection(text, valueAt, valueEnd);
        return equalsLower(text, line, nameEnd, 'keep-alive') ? DROP : KEEP;
      case 12:
        return equalsLower(text, line, nameEnd, 'x-request-id') ? DROP : KEEP;
      case 14:
        return equalsLower(text, line, nameEnd, 'content-length') ? this.#length(text, valueAt, valueEnd) : KEEP;
      case 16:
        return equalsLower(text, line, nameEnd, 'proxy-connection') ? DROP : KEEP;
      case 17:
        if (!equalsLower(text, line, nameEnd, 'transfer-encoding')) return KEEP;
        return this.#transferEncoding(text, valueAt, valueEnd);
      case 18:
        return equalsLower(text, line, nameEnd, 'proxy-authenticate') ? DROP : KEEP;
      case 25:
        return equalsLower(text, line, nameEnd, 'proxy-authentication-info') ? DROP : KEEP;
      default:
        return KEEP;
    }
  }

  #length(text: string, start: number, end: number): number {
    const length = parseDigits(text, start, end);
    if (this.contentLength >= 0) return this.#refuse('second Content-Length', start);
    if (this.chunked) return this.#refuse('Content-Length beside Transfer-Encoding', start);
    if (length < 0 || tabAfter(text, end)) return this.#refuse('Content-Length is not a number', start);
    this.contentLength = length;
    return DROP;
  }

  #transferEncoding(text: string, start: number, end: number): number {
    if (this.chunked) return this.#refuse('second Transfer-Encoding', start);
    if (this.contentLength >= 0) return this.#refuse('Transfer-Encoding beside Content-Length', start);
    if (this.minor === 0) return this.#refuse('Transfer-Encoding in an HTTP/1.0 reply', start);
    if (!equalsLower(text, start, end, 'chunked') || tabAfter(text, end))
      return this.#refuse('Transfer-Encoding is not chunked', start);
    this.chunked = true;
    return DROP;
  }

  #connection(text: string, start: number, end: number): number {
    if (equalsLower(text, start, end, 'keep-alive')) {
      this.#keepAlive = true;
      return DROP;
    }
    for (const name of connectionOptions(text.slice(start, end))) {
      if (name === '') continue;
      if (!isToken(name)) return this.#refuse('Connection has an invalid name', start);
      if (this.listed.length + name.length > MAX_LISTED) return this.#refuse('Connection has too many names', start);
      if (name === 'close') this.close = true;
      else if (name === 'keep-alive') this.#keepAlive = true;
      else if (name !== 'upgrade') this.listed = this.listed === '' ? name : `${this.listed},${name}`;
    }
    return DROP;
  }
}

/** Whether a connection begins with a SETTINGS frame of HTTP/2, as each of that version does: RFC 9113 section 3.4. */
export const isSettings = (text: string): boolean => text.charCodeAt(0) === 0 && text.startsWith('\x04\0\0\0\0\0', 3);
