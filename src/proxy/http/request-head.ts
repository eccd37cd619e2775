/**
 * Parses request heads, RFC 9112 sections 2 to 6, strictly: whatever two parsers could read in two ways is refused. One
 * scan over one latin1 string, into the fields of one reused object.
 */
import {
  BLANK,
  COLON,
  CR,
  equalsLower,
  FIELD,
  isToken,
  LF,
  PLAIN_NAME,
  parseDigits,
  SP,
  span,
  TARGET,
  TOKEN,
  tabAfter,
  trimEnd,
} from './chars.js';
import { connectionOptions, expectsContinue, grpcBit, MAX_LISTED, refusedCodings, teBits } from './field-values.js';
import { findField, HeadFields, type RequestFields } from './fields.js';
import { byteText, type HeadLimits, lineFault, nameText, type RequestFault } from './head-fault.js';
import { Authority, readAuthority } from './host.js';
import type { KnownFields } from './known-heads.js';
import { isAlias, isEndToEnd } from './own-names.js';
import { methodText, readTarget, type TargetParts, targetFault, versionFault } from './request-target.js';
import { Seen } from './seen.js';

export type { HeadLimits } from './head-fault.js';

const NOTHING: ReadonlySet<string> = new Set();

const MAX_METHOD = 32;
const INCOMPLETE = 0;
const REFUSED = -1;
const KEEP = 1;
const DROP = 0;
/** The field repeats an earlier one byte for byte: cut it out of the text. */
const AGAIN = 2;

export class RequestHead implements TargetParts {
  /** Request fields that policies of the live generation set or remove: lower case, `-` for `_`. */
  written: ReadonlySet<string> = NOTHING;
  /** Set when parse() returns -1. The cause, for the log, names the broken rule and the byte. */
  error: RequestFault = 'request/malformed';
  cause = '';
  text = '';
  method = '';
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  minor = 1;
  /** Path as sent, not normalised; `*` for the asterisk form. */
  path = '';
  query = '';
  bareQuery = false;
  /** Host with its port, if sent, in lower case; '' without Host (HTTP/1.0). */
  authority = '';
  /** The same without port. */
  host = '';
  seen = 0;
  /** -1 without Content-Length. */
  contentLength = -1;
  /** Names in Connection other than close, keep-alive and upgrade: comma-separated, lower case. */
  listed = '';
  /** Offset of the first field line, and one past the last. */
  fieldsAt = 0;
  fieldsEnd = 0;
  /** The field lines to send to the target: without hop-by-hop, framing, Host and forwarding fields. */
  kept = '';
  #runAt = 0;
  /** Length of the original text: cutting fields out of it moves later offsets. */
  #given = 0;

  /**
   * Parses one head from text[0..]. Returns its length, 0 if the text ends before the head does, or -1 if it must be
   * refused: then `error` says why, and the connection must close, since the start of the next message is unknown.
   * `known` are the fields of the connection's previous request: if they are the same, they are not parsed again.
   */
  parse(text: string, limits: HeadLimits, known?: KnownFields): number {
    this.text = text;
    this.#given = text.length;
    this.seen = 0;
    this.contentLength = -1;
    this.listed = '';
    this.kept = '';
    this.authority = '';
    this.host = '';
    // One empty line before the request line is ignored, RFC 9112 section 2.2.
    const start = text.startsWith('\r\n') ? 2 : 0;
    if (text === '\r') return INCOMPLETE;
    const fieldsAt = this.#requestLine(text, start, limits.maxTargetBytes);
    if (fieldsAt <= 0) return fieldsAt === INCOMPLETE ? this.#incomplete(text, start, limits) : REFUSED;
    this.fieldsAt = fieldsAt;
    this.#runAt = fieldsAt;
    const usable = known?.applies(this) ? known : undefined;
    let end = usable === undefined ? 0 : usable.find(this, limits);
    if (end === 0) {
      end = this.#fields(text, fieldsAt, limits);
      if (end <= 0) return end === INCOMPLETE ? this.#incomplete(text, start, limits) : REFUSED;
      if (this.#runAt < end) this.kept += this.text.slice(this.#runAt, end);
      if (this.text === text) usable?.keep(this, end, limits);
    }
    this.fieldsEnd = end;
    // Some fields may be cut out of the text.
    const length = end + 2 + text.length - this.text.length;
    if (length - start > limits.maxHeaderBytes) return this.#tooLarge(limits);
    return this.#consistent() ? length : REFUSED;
  }

  /** The fields of the parsed head. */
  fields(): RequestFields {
    return new HeadFields(this.text, this.fieldsAt, this.fieldsEnd, this.kept, this.listed);
  }

  /** Refuses the head for the bytes at `at` of the text. */
  #refuse(error: RequestFault, rule: string, at: number): -1 {
    this.error = error;
    this.cause = `invalid request: ${rule} at byte ${at + this.#given - this.text.length} of the head`;
    return REFUSED;
  }

  #malformed(rule: string, at: number): -1 {
    return this.#refuse('request/malformed', rule, at);
  }

  #incomplete(text: string, start: number, limits: HeadLimits): number {
    if (text.length - start < limits.maxHeaderBytes) return INCOMPLETE;
    if (text.indexOf('\n', start) >= 0) return this.#tooLarge(limits);
    return this.#refuse('request/target-too-long', `request line above ${limits.maxHeaderBytes} bytes`, start);
  }

  #tooLarge({ maxHeaderBytes }: HeadLimits): -1 {
    return this.#refuse('request/head-too-large', `head above ${maxHeaderBytes} bytes (max_header)`, maxHeaderBytes);
  }

  /** Returns the offset after the line. */
  #requestLine(text: string, start: number, maxTarget: number): number {
    let at = span(TOKEN, text, start);
    if (at - start > MAX_METHOD)
      return this.#refuse('request/not-implemented', `method longer than ${MAX_METHOD} characters`, start);
    if (at === text.length) return INCOMPLETE;
    if (at === start || text.charCodeAt(at) !== SP) return this.#malformed(`${byteText(text, at)} in the method`, at);
    this.method = methodText(text, start, at);
    const targetAt = ++at;
    let queryAt = -1;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (TARGET[code] !== 1) break;
      if (code === 0x3f && queryAt < 0) queryAt = at;
    }
    if (at - targetAt > maxTarget)
      return this.#refuse('request/target-too-long', `request target above ${maxTarget} bytes (max_target)`, targetAt);
    if (at === text.length) return INCOMPLETE;
    if (at === targetAt || text.charCodeAt(at) !== SP) return this.#malformed(targetFault(text, targetAt, at), at);
    const version = this.#version(text, at + 1);
    if (version <= 0) return version;
    const error = readTarget(this, text, targetAt, queryAt, at);
    if (error === undefined) return version;
    return this.#refuse(error, `invalid or unsupported ${this.method} target`, targetAt);
  }

  #version(text: string, at: number): number {
    this.minor = 1;
    if (text.startsWith('HTTP/1.1\r\n', at)) return at + 10;
    const fault = versionFault(text, at);
    if (fault === 'incomplete') return INCOMPLETE;
    if (fault !== undefined) return this.#refuse(fault.error, fault.rule, fault.at);
    // RFC 9110 sections 2.5 and 6.2: a higher minor version is handled as the highest known one.
    if (text.charCodeAt(at + 7) === 0x30) this.minor = 0;
    return at + 10;
  }

  /** Returns the offset, in this.text, of the empty line that ends the fields. */
  #fields(whole: string, start: number, limits: HeadLimits): number {
    let text = whole;
    let line = start;
    for (let count = 0; ; count++) {
      let at = span(PLAIN_NAME, text, line);
      if (at === text.length) return INCOMPLETE;
      let unusual = false;
      if (text.charCodeAt(at) !== COLON) {
        const plainEnd = at;
        at = span(TOKEN, text, at);
        unusual = at > plainEnd;
        if (at === text.length) return INCOMPLETE;
        if (at === line) return this.#end(text, line);
        if (text.charCodeAt(at) !== COLON) return this.#malformed(lineFault(text, line, at), at);
      } else if (at === line) return this.#malformed(lineFault(text, line, at), at);
      if (count >= limits.maxHeaders)
        return this.#refuse('request/head-too-large', `more than ${limits.maxHeaders} fields (max_headers)`, line);
      const nameEnd = at;
      const valueAt = span(BLANK, text, nameEnd + 1);
      at = span(FIELD, text, valueAt);
      if (at >= text.length - 1 && (at === text.length || text.charCodeAt(at) === CR)) return INCOMPLETE;
      if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF)
        return this.#malformed(lineFault(text, line, at), at);
      const next = at + 2;
      if (unusual) {
        const verdict = this.#unusual(text, line, nameEnd, limits);
        if (verdict === REFUSED) return REFUSED;
        if (verdict === DROP) {
          // Cut out of the text, since policies look up fields in it.
          text = text.slice(0, line) + text.slice(next);
          this.text = text;
          continue;
        }
      }
      const verdict = this.#field(text, line, nameEnd, valueAt, trimEnd(text, valueAt, at), next);
      if (verdict === REFUSED) return REFUSED;
      if (verdict !== AGAIN) line = next;
      else this.text = text = text.slice(0, line) + text.slice(next);
    }
  }

  /** No name begins here: it must be the empty line. */
  #end(text: string, line: number): number {
    if (text.charCodeAt(line) !== CR) return this.#malformed(lineFault(text, line, line), line);
    if (line + 1 === text.length) return INCOMPLETE;
    if (text.charCodeAt(line + 1) === LF) return line;
    return this.#malformed(byteText(text, line), line);
  }

  /** A name with other characters than letters, digits and hyphens. */
  #unusual(text: string, line: number, nameEnd: number, { underscores }: HeadLimits): number {
    if (underscores === 'keep') return KEEP;
    const name = text.slice(line, nameEnd);
    const underscored = name.includes('_');
    if (!(underscored && underscores !== 'refuse-aliases') && !isAlias(name, this.written)) return KEEP;
    if (underscores === 'drop') return DROP;
    const what = underscored ? 'underscore in the name of field' : 'other characters than hyphens in the name of field';
    return this.#refuse('request/field-name', `${what} ${nameText(text, line, nameEnd)} (underscores)`, line);
  }

  /** Handles one field line. The caller acts on AGAIN and REFUSED. */
  #field(text: string, line: number, nameEnd: number, valueAt: number, valueEnd: number, next: number): number {
    const verdict = this.#special(text, line, nameEnd, valueAt, valueEnd);
    if (verdict === REFUSED || verdict === AGAIN) return verdict;
    const canonical = valueAt === nameEnd + 2 && valueEnd === next - 2 && text.charCodeAt(nameEnd + 1) === SP;
    if (verdict === KEEP && canonical) return KEEP;
    if (this.#runAt < line) this.kept += text.slice(this.#runAt, line);
    if (verdict === KEEP) this.kept += `${text.slice(line, nameEnd)}: ${text.slice(valueAt, valueEnd)}\r\n`;
    this.#runAt = next;
    return verdict;
  }

  /** Fields that gw itself interprets: KEEP, DROP (hop-by-hop, or gw writes its own), AGAIN or REFUSED. */
  #special(text: string, line: number, nameEnd: number, valueAt: number, valueEnd: number): number {
    switch (nameEnd - line) {
      case 2:
        return equalsLower(text, line, nameEnd, 'te') ? this.#saw(teBits(text.slice(valueAt, valueEnd))) : KEEP;
      case 4:
        return equalsLower(text, line, nameEnd, 'host') ? this.#host(text, valueAt, valueEnd) : KEEP;
      case 5:
        // CGI programs would get it as the variable HTTP_PROXY.
        return equalsLower(text, line, nameEnd, 'proxy') ? DROP : KEEP;
      case 6:
        return equalsLower(text, line, nameEnd, 'expect') ? this.#expect(text, valueAt, valueEnd) : KEEP;
      case 7:
        if (equalsLower(text, line, nameEnd, 'upgrade')) return this.#saw(Seen.Upgrade);
        return equalsLower(text, line, nameEnd, 'trailer') ? DROP : KEEP;
      case 9:
        if (equalsLower(text, line, nameEnd, 'forwarded')) return this.#saw(Seen.Forwarded);
        return equalsLower(text, line, nameEnd, 'x-real-ip') ? this.#saw(Seen.ForwardedOther) : KEEP;
      case 10:
        if (equalsLower(text, line, nameEnd, 'connection')) return this.#connection(text, valueAt, valueEnd);
        return equalsLower(text, line, nameEnd, 'keep-alive') ? DROP : KEEP;
      case 12:
        if (equalsLower(text, line, nameEnd, 'content-type')) return this.#contentType(text, line, valueAt, valueEnd);
        if (equalsLower(text, line, nameEnd, 'max-forwards')) return this.#maxForwards(text, valueAt, valueEnd);
        return equalsLower(text, line, nameEnd, 'x-request-id') ? this.#saw(Seen.RequestId) : this.#other(text, line);
      case 13:
        if (!equalsLower(text, line, nameEnd, 'authorization')) return this.#other(text, line);
        return this.#once(Seen.Authorization, text, line, 'authorization', valueAt, valueEnd);
      case 14:
        if (equalsLower(text, line, nameEnd, 'content-length')) return this.#contentLength(text, valueAt, valueEnd);
        return equalsLower(text, line, nameEnd, 'http2-settings') ? DROP : this.#other(text, line);
      case 15:
        if (equalsLower(text, line, nameEnd, 'x-forwarded-for')) return this.#saw(Seen.ForwardedFor);
        return this.#other(text, line);
      case 16:
        if (equalsLower(text, line, nameEnd, 'x-forwarded-host')) return this.#saw(Seen.ForwardedHost);
        return equalsLower(text, line, nameEnd, 'proxy-connection') ? DROP : this.#other(text, line);
      case 17:
        if (equalsLower(text, line, nameEnd, 'transfer-encoding'))
          return this.#transferEncoding(text, valueAt, valueEnd);
        if (equalsLower(text, line, nameEnd, 'x-forwarded-proto')) return this.#saw(Seen.ForwardedProto);
        return this.#other(text, line);
      case 18:
        return equalsLower(text, line, nameEnd, 'proxy-authenticate') ? DROP : this.#other(text, line);
      case 19:
        return equalsLower(text, line, nameEnd, 'proxy-authorization') ? DROP : this.#other(text, line);
      default:
        return this.#other(text, line);
    }
  }

  /** Other forwarding fields: X-Forwarded-Port, -Ssl, -Client-Cert and so on. X-Consumer-*, which says who calls, is cut out. */
  #other(text: string, line: number): number {
    if (equalsLower(text, line, line + 11, 'client-cert')) this.seen |= Seen.ClientCert;
    if ((text.charCodeAt(line) | 0x20) !== 0x78) return KEEP;
    if (equalsLower(text, line, line + 11, 'x-consumer-')) return AGAIN;
    return equalsLower(text, line, line + 12, 'x-forwarded-') ? this.#saw(Seen.ForwardedOther) : KEEP;
  }

  #saw(bit: number): number {
    this.seen |= bit;
    return DROP;
  }

  /** Fields with one value: with two different values, targets would disagree on which one counts. */
  #once(bit: number, text: string, line: number, name: string, valueAt: number, valueEnd: number): number {
    if ((this.seen & bit) === 0) {
      this.seen |= bit;
      return KEEP;
    }
    if (findField(text, this.fieldsAt, line, name) === text.slice(valueAt, valueEnd)) return AGAIN;
    return this.#malformed(`second ${name} with a different value`, line);
  }

  #contentType(text: string, line: number, start: number, end: number): number {
    if ((this.seen & Seen.ContentType) === 0) this.seen |= grpcBit(text, start, end);
    return this.#once(Seen.ContentType, text, line, 'content-type', start, end);
  }

  #host(text: string, start: number, end: number): number {
    if (this.seen & Seen.Host) return this.#refuse('request/host', 'second Host', start);
    // The target's authority overrides Host, but a malformed Host is refused all the same.
    if (!readAuthority(this.authority === '' ? this : new Authority(), text, start, end))
      return this.#refuse('request/host', 'Host is not a valid host', start);
    return this.#saw(Seen.Host);
  }

  #maxForwards(text: string, start: number, end: number): number {
    if (this.method !== 'TRACE' && this.method !== 'OPTIONS') return KEEP;
    // Any number of digits: write-head.ts reduces the value to a number that it can count.
    if (this.seen & Seen.MaxForwards || !/^\d+$/.test(text.slice(start, end)))
      return this.#malformed('Max-Forwards is not one number', start);
    return this.#saw(Seen.MaxForwards);
  }

  #expect(text: string, start: number, end: number): number {
    const expected = equalsLower(text, start, end, '100-continue') || expectsContinue(text.slice(start, end));
    if (expected === undefined) return this.#refuse('request/expectation', 'Expect is not 100-continue', start);
    return expected ? this.#saw(Seen.Expect) : DROP;
  }

  #contentLength(text: string, start: number, end: number): number {
    if (this.seen & (Seen.ContentLength | Seen.TransferEncoding)) return this.#framedTwice('Content-Length', start);
    const length = parseDigits(text, start, end);
    if (length < 0 || tabAfter(text, end)) return this.#malformed('Content-Length is not a number', start);
    this.contentLength = length;
    return this.#saw(Seen.ContentLength);
  }

  #transferEncoding(text: string, start: number, end: number): number {
    if (this.seen & (Seen.ContentLength | Seen.TransferEncoding)) return this.#framedTwice('Transfer-Encoding', start);
    if (this.minor === 0 || tabAfter(text, end))
      return this.#malformed('Transfer-Encoding in an HTTP/1.0 request, or with a tab after it', start);
    if (equalsLower(text, start, end, 'chunked')) return this.#saw(Seen.TransferEncoding);
    return this.#refuse(refusedCodings(text.slice(start, end)), 'Transfer-Encoding is not chunked', start);
  }

  #framedTwice(name: string, at: number): -1 {
    const other = this.seen & Seen.ContentLength ? 'Content-Length' : 'Transfer-Encoding';
    return this.#malformed(name === other ? `second ${name}` : `${name} beside ${other}`, at);
  }

  #connection(text: string, start: number, end: number): number {
    if (equalsLower(text, start, end, 'keep-alive')) return this.#saw(Seen.KeepAlive);
    if (equalsLower(text, start, end, 'close')) return this.#saw(Seen.Close);
    for (const name of connectionOptions(text.slice(start, end))) {
      if (name === '') continue;
      if (!isToken(name) || this.listed.length + name.length > MAX_LISTED)
        return this.#malformed('Connection has too many or invalid names', start);
      if (name === 'close') this.seen |= Seen.Close;
      else if (name === 'keep-alive') this.seen |= Seen.KeepAlive;
      else if (name === 'upgrade') this.seen |= Seen.ConnectionUpgrade;
      else if (isEndToEnd(name)) return this.#malformed(`Connection lists ${name}`, start);
      else {
        this.seen |= Seen.Listed;
        this.listed = this.listed === '' ? name : `${this.listed},${name}`;
      }
    }
    return DROP;
  }

  /** Checks that need the whole head. */
  #consistent(): boolean {
    const { seen } = this;
    if (this.minor === 1 && !(seen & Seen.Host)) return this.#refuse('request/host', 'no Host', this.fieldsEnd) > 0;
    // RFC 9110 section 9.3.8.
    if ((this.contentLength > 0 || seen & Seen.TransferEncoding) && this.method === 'TRACE')
      return this.#malformed('TRACE with a body', this.fieldsEnd) > 0;
    if (seen & Seen.Close) this.seen &= ~Seen.KeepAlive;
    return true;
  }
}
