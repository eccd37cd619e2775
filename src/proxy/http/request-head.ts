/**
 * Request heads, RFC 9112 sections 2 to 6, strictly: whatever two readers could understand in two ways is refused.
 * One scan over one latin1 string; everything found is kept in fields of one object that is used again and again.
 */
import type { ErrorSlug } from '../errors.js';
import { COLON, CR, equalsLower, FIELD, HTAB, LF, parseDigits, SP, TARGET, TOKEN, trimEnd } from './chars.js';
import { scanHost } from './host.js';

export interface HeadLimits {
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
}

/** Longest request target, bytes. Longer ones get 414: nothing that people type or programs build comes near. */
export const MAX_TARGET = 16 * 1024;
const MAX_METHOD = 32;

const INCOMPLETE = 0;
const REFUSED = -1;

/** Bits of RequestHead.seen. */
export const Seen = {
  Host: 1,
  ContentLength: 2,
  TransferEncoding: 4,
  Expect: 8,
  Upgrade: 16,
  ForwardedFor: 32,
  ForwardedProto: 64,
  ForwardedHost: 128,
  RequestId: 256,
  /** Connection: close. */
  Close: 512,
  /** Connection: keep-alive. */
  KeepAlive: 1024,
  /** Connection: upgrade. */
  ConnectionUpgrade: 2048,
  /** Connection lists other names. */
  Listed: 4096,
  Forwarded: 8192,
} as const;

/** Fields that policies and targets must not believe from just anybody. */
export const FORWARDING = Seen.ForwardedFor | Seen.ForwardedProto | Seen.ForwardedHost | Seen.Forwarded;

export class RequestHead {
  /** Set by parse() when it returns -1. */
  error: ErrorSlug = 'request/malformed';
  text = '';
  method = '';
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  minor = 1;
  /** Path as sent, not normalised; `*` for the asterisk form. */
  path = '';
  query = '';
  /** Host and port as sent; '' when there is none (HTTP/1.0). */
  authority = '';
  /** Lower case, no port. */
  host = '';
  seen = 0;
  /** -1 without Content-Length. */
  contentLength = -1;
  /** Names that Connection lists beside close, keep-alive and upgrade: comma-separated, lower case. */
  listed = '';
  /** Offset of the first field line, and one past the last. */
  fieldsAt = 0;
  fieldsEnd = 0;
  /** The field lines that go to the target as they are: no hop-by-hop, framing, Host or forwarding fields among them. */
  kept = '';
  #runAt = 0;

  /**
   * Reads one head from text[0..]. Returns its length, 0 when the text ends before the head does, or -1 when it must be
   * refused: then `error` says why, and the connection has to be closed, for nobody knows where the next message begins.
   */
  parse(text: string, limits: HeadLimits): number {
    this.text = text;
    this.seen = 0;
    this.contentLength = -1;
    this.listed = '';
    this.kept = '';
    this.authority = '';
    this.host = '';
    // One empty line before the request line is forgiven, RFC 9112 section 2.2.
    const start = text.charCodeAt(0) === CR && text.charCodeAt(1) === LF ? 2 : 0;
    const fieldsAt = this.#requestLine(text, start);
    if (fieldsAt <= 0) return fieldsAt === INCOMPLETE ? this.#incomplete(text, start, limits) : REFUSED;
    this.fieldsAt = fieldsAt;
    this.#runAt = fieldsAt;
    const end = this.#fields(text, fieldsAt, limits.maxHeaders);
    if (end <= 0) return end === INCOMPLETE ? this.#incomplete(text, start, limits) : REFUSED;
    this.fieldsEnd = end;
    if (this.#runAt < end) this.kept += text.slice(this.#runAt, end);
    const length = end + 2;
    if (length - start > limits.maxHeaderBytes) return this.#refuse('request/head-too-large');
    return this.#consistent() ? length : REFUSED;
  }

  #refuse(error: ErrorSlug): -1 {
    this.error = error;
    return REFUSED;
  }

  #incomplete(text: string, start: number, limits: HeadLimits): number {
    if (text.length - start < limits.maxHeaderBytes) return INCOMPLETE;
    return this.#refuse(text.indexOf('\n', start) < 0 ? 'request/target-too-long' : 'request/head-too-large');
  }

  /** Returns the offset after the line. */
  #requestLine(text: string, start: number): number {
    let at = start;
    while (TOKEN[text.charCodeAt(at)] === 1) at++;
    if (at - start > MAX_METHOD) return this.#refuse('request/not-implemented');
    if (at === text.length) return INCOMPLETE;
    if (at === start || text.charCodeAt(at) !== SP) return this.#refuse('request/malformed');
    this.method = methodText(text, start, at);
    const targetAt = ++at;
    let queryAt = -1;
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (TARGET[code] !== 1) break;
      if (code === 0x3f && queryAt < 0) queryAt = at;
    }
    if (at - targetAt > MAX_TARGET) return this.#refuse('request/target-too-long');
    if (at === text.length) return INCOMPLETE;
    if (at === targetAt || text.charCodeAt(at) !== SP) return this.#refuse('request/malformed');
    const version = this.#version(text, at + 1);
    return version <= 0 ? version : this.#target(text, targetAt, queryAt, at) ? version : REFUSED;
  }

  #version(text: string, at: number): number {
    if (!'HTTP/'.startsWith(text.slice(at, at + 5))) return this.#refuse('request/malformed');
    if (text.length < at + 10) {
      const first = text.indexOf('\n', at);
      return first < 0 ? INCOMPLETE : this.#refuse('request/malformed');
    }
    const major = text.charCodeAt(at + 5) - 0x30;
    const minor = text.charCodeAt(at + 7) - 0x30;
    if (text.charCodeAt(at + 6) !== 0x2e || major < 0 || major > 9 || minor < 0 || minor > 9)
      return this.#refuse('request/malformed');
    if (text.charCodeAt(at + 8) !== CR || text.charCodeAt(at + 9) !== LF) return this.#refuse('request/malformed');
    if (major !== 1 || minor > 1) return this.#refuse('request/version');
    this.minor = minor;
    return at + 10;
  }

  #target(text: string, start: number, queryAt: number, end: number): boolean {
    if (this.method === 'CONNECT') return this.#refuse('request/not-implemented') > 0;
    let pathAt = start;
    const first = text.charCodeAt(start);
    if (first !== 0x2f) {
      if (first === 0x2a && end === start + 1) {
        if (this.method !== 'OPTIONS') return this.#refuse('request/malformed') > 0;
      } else {
        pathAt = this.#absolute(text, start, queryAt < 0 ? end : queryAt);
        if (pathAt < 0) return false;
      }
    }
    const pathEnd = queryAt < 0 ? end : queryAt;
    this.path = pathAt === pathEnd ? '/' : text.slice(pathAt, pathEnd);
    this.query = queryAt < 0 ? '' : text.slice(queryAt + 1, end);
    return true;
  }

  /** The absolute form, RFC 9112 section 3.2.2: its authority replaces Host. Returns where the path begins, or -1. */
  #absolute(text: string, start: number, end: number): number {
    const secure = equalsLower(text, start, start + 5, 'https');
    const at = start + (secure ? 5 : 4);
    if (!(secure || equalsLower(text, start, start + 4, 'http')) || !text.startsWith('://', at))
      return this.#refuse('request/malformed');
    const authorityAt = at + 3;
    let pathAt = text.indexOf('/', authorityAt);
    if (pathAt < 0 || pathAt > end) pathAt = end;
    const host = scanHost(text, authorityAt, pathAt);
    if (host === undefined || host === '') return this.#refuse('request/malformed');
    this.host = host;
    this.authority = text.slice(authorityAt, pathAt);
    return pathAt;
  }

  /** Returns the offset of the empty line that ends the fields. */
  #fields(text: string, start: number, maxHeaders: number): number {
    let line = start;
    for (let count = 0; ; count++) {
      let at = line;
      while (TOKEN[text.charCodeAt(at)] === 1) at++;
      if (at === text.length) return INCOMPLETE;
      if (at === line) {
        if (text.charCodeAt(at) !== CR) return this.#refuse('request/malformed');
        if (at + 1 === text.length) return INCOMPLETE;
        return text.charCodeAt(at + 1) === LF ? line : this.#refuse('request/malformed');
      }
      if (text.charCodeAt(at) !== COLON) return this.#refuse('request/malformed');
      if (count >= maxHeaders) return this.#refuse('request/head-too-large');
      const nameEnd = at++;
      while (text.charCodeAt(at) === SP || text.charCodeAt(at) === HTAB) at++;
      const valueAt = at;
      while (FIELD[text.charCodeAt(at)] === 1) at++;
      if (at >= text.length - 1) {
        if (at === text.length || text.charCodeAt(at) === CR) return INCOMPLETE;
        return this.#refuse('request/malformed');
      }
      if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) return this.#refuse('request/malformed');
      const valueEnd = trimEnd(text, valueAt, at);
      const next = at + 2;
      if (!this.#field(text, line, nameEnd, valueAt, valueEnd, next)) return REFUSED;
      line = next;
    }
  }

  /** Takes one field line in: false when it must be refused. */
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

  /** Fields that the engine itself must know: KEEP, DROP (gw writes its own, or it is hop-by-hop) or REFUSED. */
  #special(text: string, line: number, nameEnd: number, valueAt: number, valueEnd: number): number {
    switch (nameEnd - line) {
      case 2:
        return equalsLower(text, line, nameEnd, 'te') ? DROP : KEEP;
      case 4:
        return equalsLower(text, line, nameEnd, 'host') ? this.#host(text, valueAt, valueEnd) : KEEP;
      case 6:
        return equalsLower(text, line, nameEnd, 'expect') ? this.#expect(text, valueAt, valueEnd) : KEEP;
      case 7:
        if (equalsLower(text, line, nameEnd, 'upgrade')) return this.#saw(Seen.Upgrade);
        return equalsLower(text, line, nameEnd, 'trailer') ? DROP : KEEP;
      case 9:
        return equalsLower(text, line, nameEnd, 'forwarded') ? this.#saw(Seen.Forwarded) : KEEP;
      case 10:
        if (equalsLower(text, line, nameEnd, 'connection')) return this.#connection(text, valueAt, valueEnd);
        return equalsLower(text, line, nameEnd, 'keep-alive') ? DROP : KEEP;
      case 12:
        return equalsLower(text, line, nameEnd, 'x-request-id') ? this.#saw(Seen.RequestId) : KEEP;
      case 14:
        if (equalsLower(text, line, nameEnd, 'content-length')) return this.#contentLength(text, valueAt, valueEnd);
        return equalsLower(text, line, nameEnd, 'http2-settings') ? DROP : KEEP;
      case 15:
        return equalsLower(text, line, nameEnd, 'x-forwarded-for') ? this.#saw(Seen.ForwardedFor) : KEEP;
      case 16:
        if (equalsLower(text, line, nameEnd, 'x-forwarded-host')) return this.#saw(Seen.ForwardedHost);
        return equalsLower(text, line, nameEnd, 'proxy-connection') ? DROP : KEEP;
      case 17:
        if (equalsLower(text, line, nameEnd, 'transfer-encoding'))
          return this.#transferEncoding(text, valueAt, valueEnd);
        return equalsLower(text, line, nameEnd, 'x-forwarded-proto') ? this.#saw(Seen.ForwardedProto) : KEEP;
      case 19:
        return equalsLower(text, line, nameEnd, 'proxy-authorization') ? DROP : KEEP;
      default:
        return KEEP;
    }
  }

  #saw(bit: number): number {
    this.seen |= bit;
    return DROP;
  }

  #host(text: string, start: number, end: number): number {
    if (this.seen & Seen.Host) return this.#refuse('request/host');
    this.seen |= Seen.Host;
    const host = scanHost(text, start, end);
    if (host === undefined || host === '') return this.#refuse('request/host');
    if (this.authority !== '') return DROP;
    this.host = host;
    this.authority = text.slice(start, end);
    return DROP;
  }

  #expect(text: string, start: number, end: number): number {
    if (!equalsLower(text, start, end, '100-continue')) return this.#refuse('request/expectation');
    return this.#saw(Seen.Expect);
  }

  #contentLength(text: string, start: number, end: number): number {
    if (this.seen & (Seen.ContentLength | Seen.TransferEncoding)) return this.#refuse('request/malformed');
    const length = parseDigits(text, start, end);
    if (length < 0) return this.#refuse('request/malformed');
    this.contentLength = length;
    return this.#saw(Seen.ContentLength);
  }

  #transferEncoding(text: string, start: number, end: number): number {
    if (this.seen & (Seen.ContentLength | Seen.TransferEncoding)) return this.#refuse('request/malformed');
    if (this.minor === 0) return this.#refuse('request/malformed');
    if (equalsLower(text, start, end, 'chunked')) return this.#saw(Seen.TransferEncoding);
    // A coding before a last `chunked` has a known end, only not one that gw relays; all else has no certain end.
    const codings = text.slice(start, end).toLowerCase().split(',');
    const last = codings.pop()?.trim();
    const orderly =
      codings.length > 0 && codings.every((coding) => isToken(coding.trim()) && coding.trim() !== 'chunked');
    return this.#refuse(last === 'chunked' && orderly ? 'request/not-implemented' : 'request/malformed');
  }

  #connection(text: string, start: number, end: number): number {
    if (equalsLower(text, start, end, 'keep-alive')) return this.#saw(Seen.KeepAlive);
    if (equalsLower(text, start, end, 'close')) return this.#saw(Seen.Close);
    for (const item of text.slice(start, end).split(',')) {
      const name = item.trim().toLowerCase();
      if (name === '') continue;
      if (!isToken(name)) return this.#refuse('request/malformed');
      if (name === 'close') this.seen |= Seen.Close;
      else if (name === 'keep-alive') this.seen |= Seen.KeepAlive;
      else if (name === 'upgrade') this.seen |= Seen.ConnectionUpgrade;
      else {
        this.seen |= Seen.Listed;
        this.listed = this.listed === '' ? name : `${this.listed},${name}`;
      }
    }
    return DROP;
  }

  /** What only the whole head can tell. */
  #consistent(): boolean {
    if (this.minor === 1 && !(this.seen & Seen.Host)) return this.#refuse('request/host') > 0;
    return true;
  }
}

const KEEP = 1;
const DROP = 0;

function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (TOKEN[text.charCodeAt(i)] !== 1) return false;
  return text.length > 0;
}

/** The method; one constant for each common one, so that comparing it later is comparing pointers. */
function methodText(text: string, start: number, end: number): string {
  switch (text.charCodeAt(start)) {
    case 0x47:
      if (end - start === 3 && text.startsWith('GET', start)) return 'GET';
      break;
    case 0x48:
      if (end - start === 4 && text.startsWith('HEAD', start)) return 'HEAD';
      break;
    case 0x50:
      if (end - start === 4 && text.startsWith('POST', start)) return 'POST';
      if (end - start === 3 && text.startsWith('PUT', start)) return 'PUT';
      break;
    case 0x44:
      if (end - start === 6 && text.startsWith('DELETE', start)) return 'DELETE';
      break;
  }
  return text.slice(start, end);
}
