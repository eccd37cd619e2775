/**
 * Response heads from targets, RFC 9112 section 4, as strictly as request heads: what is ambiguous is no reply. Scans one
 * latin1 string once; the field lines that go on to the client are kept in one string, cut only where one is left out.
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
  tabBehind,
  trimEnd,
  trimSpaces,
} from './chars.js';
import { KnownReplies, type KnownReply, ReplyFacts } from './known-heads.js';

/** Most bytes and fields of a target's reply head. */
export const MAX_RESPONSE_HEAD = 64 * 1024;
const MAX_RESPONSE_FIELDS = 256;
/** Length of all names that Connection lists. Each costs a pass over the fields. */
const MAX_LISTED = 256;

const INCOMPLETE = 0;
const REFUSED = -1;
const KEEP = 1;
const DROP = 0;

export class ResponseHead extends ReplyFacts {
  text = '';
  /** The same head as it came before, if it did. */
  known: KnownReply | undefined = undefined;
  #runAt = 0;
  #keepAlive = false;
  readonly #known = new KnownReplies();

  /** Reads one head from text[0..]. Its length; 0: incomplete; -1: not a reply that anybody may trust. */
  parse(text: string): number {
    this.text = text;
    const known = this.#known.find(text, this);
    this.known = known;
    if (known !== undefined) return known.text.length;
    const length = this.#parse(text);
    if (length > 0) this.#known.keep(text, length, this);
    return length;
  }

  /** Reads one head from buffer[from, to), and returns the same. */
  read(buffer: Buffer, from: number, to: number): number {
    const known = this.#known.findAgain(buffer, from, to, this);
    if (known === undefined) return this.parse(buffer.toString('latin1', from, to));
    this.text = known.text;
    this.known = known;
    return known.text.length;
  }

  /** How the body behind it is framed, RFC 9112 section 6.3. `toHead`: it answers a HEAD request. */
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
    if (fieldsAt <= 0) return fieldsAt === INCOMPLETE ? tooLong(text) : REFUSED;
    this.fieldsAt = fieldsAt;
    this.#runAt = fieldsAt;
    const end = this.#fields(text, fieldsAt);
    if (end <= 0) return end === INCOMPLETE ? tooLong(text) : REFUSED;
    this.fieldsEnd = end;
    if (this.#runAt < end) this.kept += text.slice(this.#runAt, end);
    if (this.minor === 0 && !this.#keepAlive) this.close = true;
    if ((this.status < 200 || this.status === 204) && !this.#bodiless()) return REFUSED;
    return end + 2;
  }

  /**
   * 1xx and 204 end with their head, and no framing field belongs in them (RFC 9110 section 8.6, RFC 9112 section 6.1).
   * Whoever sends one may send a body as well: behind a 204 no reply on this connection could be trusted to be one, and a
   * 1xx of that kind has a reply behind it on this very connection. HTTP/1.0 has no 1xx.
   */
  #bodiless(): boolean {
    const framed = this.chunked || this.contentLength > 0;
    // One that closes the connection leaves no place for the reply that it announces.
    if (this.status < 200) return !framed && !this.close && this.minor === 1;
    if (framed) this.close = true;
    return true;
  }

  #statusLine(text: string): number {
    if (text.length < 13) return 'HTTP/1.'.startsWith(text.slice(0, 7)) ? INCOMPLETE : REFUSED;
    if (!text.startsWith('HTTP/1.')) return REFUSED;
    const minor = text.charCodeAt(7) - 0x30;
    if ((minor !== 0 && minor !== 1) || text.charCodeAt(8) !== SP) return REFUSED;
    const status = parseDigits(text, 9, 12);
    if (status < 100 || status > 599) return REFUSED;
    let at = 12;
    // The space before an empty reason is often left out; nothing else can follow the status.
    if (text.charCodeAt(at) === SP) {
      at = span(FIELD, text, at + 1);
    }
    if (at >= text.length - 1) return at === text.length || text.charCodeAt(at) === CR ? INCOMPLETE : REFUSED;
    if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) return REFUSED;
    this.minor = minor;
    this.status = status;
    this.statusText = at === 12 ? `${text.slice(9, at)} ` : text.slice(9, at);
    return at + 2;
  }

  // The same loop as a request's, but for what a request alone has (names with underscores, a reason for each refusal): one
  // loop for both, over methods of two classes, costs either side 1 to 5 % more.
  #fields(text: string, start: number): number {
    let line = start;
    for (let count = 0; ; count++) {
      let at = span(TOKEN, text, line);
      if (at === text.length) return INCOMPLETE;
      if (at === line) {
        if (text.charCodeAt(at) !== CR) return REFUSED;
        if (at + 1 === text.length) return INCOMPLETE;
        return text.charCodeAt(at + 1) === LF ? line : REFUSED;
      }
      if (text.charCodeAt(at) !== COLON || count >= MAX_RESPONSE_FIELDS) return REFUSED;
      const nameEnd = at;
      const valueAt = span(BLANK, text, nameEnd + 1);
      at = span(FIELD, text, valueAt);
      if (at >= text.length - 1) return at === text.length || text.charCodeAt(at) === CR ? INCOMPLETE : REFUSED;
      if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) return REFUSED;
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
    if (length < 0 || this.contentLength >= 0 || this.chunked || tabBehind(text, end)) return REFUSED;
    this.contentLength = length;
    return DROP;
  }

  #transferEncoding(text: string, start: number, end: number): number {
    if (this.chunked || this.contentLength >= 0 || this.minor === 0) return REFUSED;
    if (!equalsLower(text, start, end, 'chunked') || tabBehind(text, end)) return REFUSED;
    this.chunked = true;
    return DROP;
  }

  #connection(text: string, start: number, end: number): number {
    if (equalsLower(text, start, end, 'keep-alive')) {
      this.#keepAlive = true;
      return DROP;
    }
    for (const item of text.slice(start, end).split(',')) {
      const name = trimSpaces(item).toLowerCase();
      if (name === '') continue;
      if (!isToken(name) || this.listed.length + name.length > MAX_LISTED) return REFUSED;
      if (name === 'close') this.close = true;
      else if (name === 'keep-alive') this.#keepAlive = true;
      else if (name !== 'upgrade') this.listed = this.listed === '' ? name : `${this.listed},${name}`;
    }
    return DROP;
  }
}

const tooLong = (text: string): number => (text.length >= MAX_RESPONSE_HEAD ? REFUSED : INCOMPLETE);
