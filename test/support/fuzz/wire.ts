/**
 * A strict reader of the bytes that gw writes to targets and clients: it accepts only one canonical form. It shares no
 * code with gw or Node and uses no regular expressions, so that it does not share their faults.
 */

/** The bytes are not in the canonical form that gw must write. */
export class NotCanonical extends Error {}

export type Field = readonly [name: string, value: string];

export interface WireMessage {
  /** `GET /path HTTP/1.1` or `HTTP/1.1 200 OK`. */
  readonly first: string;
  readonly fields: readonly Field[];
  readonly parts: Buffer[];
  /** The whole message has arrived. */
  complete: boolean;
}

const CR = 13;
const LF = 10;

function isTokenByte(code: number): boolean {
  if (code >= 0x30 && code <= 0x39) return true;
  if ((code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)) return true;
  return "!#$%&'*+-.^_`|~".includes(String.fromCharCode(code));
}

function isFieldByte(code: number): boolean {
  return code === 9 || (code >= 0x20 && code !== 0x7f);
}

export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isTokenByte(text.charCodeAt(i))) return false;
  return text.length > 0;
}

/** Values of a field, by its lower-case name. */
export function valuesOf(message: { readonly fields: readonly Field[] }, name: string): string[] {
  return message.fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

export const bodyOf = (message: WireMessage): Buffer => Buffer.concat(message.parts);

type Framing = { readonly kind: 'none' | 'chunked' | 'close' } | { readonly kind: 'length'; readonly length: number };

/** Rules for one direction, in addition to the common form. */
export interface WireRules {
  /** Checks the first line and the fields; returns the framing of the body. @throws NotCanonical */
  frame(message: WireMessage): Framing;
}

type State = 'head' | 'length' | 'size' | 'data' | 'data-end' | 'last' | 'close';

/** Reads the messages of a connection. push() throws NotCanonical. */
export class WireReader {
  readonly messages: WireMessage[] = [];
  readonly #rules: WireRules;
  #rest: Buffer = Buffer.alloc(0);
  #state: State = 'head';
  #left = 0;

  constructor(rules: WireRules) {
    this.#rules = rules;
  }

  /** The incomplete message, if any. */
  get open(): WireMessage | undefined {
    const last = this.messages.at(-1);
    return last === undefined || last.complete ? undefined : last;
  }

  /** Bytes of an incomplete head. */
  get rest(): Buffer {
    return this.#rest;
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length > 0 && this.#step());
  }

  /** The connection ended in order: this ends a close-delimited body. */
  end(): void {
    if (this.#state !== 'close') return;
    this.#state = 'head';
    this.messages.at(-1)!.complete = true;
  }

  #take(count: number): Buffer {
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  /** A line without its CRLF; undefined if it is incomplete. */
  #line(): string | undefined {
    const rest = this.#rest;
    for (let i = 0; i < rest.length; i++) {
      const code = rest[i]!;
      if (code === LF) throw new NotCanonical('a bare LF');
      if (code === CR) {
        if (i + 1 === rest.length) return undefined;
        if (rest[i + 1] !== LF) throw new NotCanonical('a bare CR');
        return this.#take(i + 2).toString('latin1', 0, i);
      }
      if (!isFieldByte(code)) throw new NotCanonical(`the byte ${code} in a line`);
    }
    return undefined;
  }

  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#head();
      case 'length':
      case 'data':
        return this.#data();
      case 'size':
        return this.#size();
      case 'close':
        this.messages.at(-1)!.parts.push(this.#take(this.#rest.length));
        return true;
      default: {
        const line = this.#line();
        if (line === undefined) return false;
        if (line !== '' && this.#state === 'last') checkTrailer(line);
        else if (line !== '') throw new NotCanonical(`bytes after a chunk: ${line}`);
        else if (this.#state === 'last') this.#finish();
        else this.#state = 'size';
        return true;
      }
    }
  }

  #head(): boolean {
    const rest = this.#rest;
    const fields: Field[] = [];
    const first = this.#line();
    if (first === undefined) return false;
    for (;;) {
      const line = this.#line();
      if (line === undefined) {
        // Keep the bytes until the rest arrives; they have been checked already.
        this.#rest = rest;
        return false;
      }
      if (line === '') break;
      fields.push(fieldOf(line));
    }
    const message: WireMessage = { first, fields, parts: [], complete: false };
    this.messages.push(message);
    const framing = this.#rules.frame(message);
    if (framing.kind === 'length' && framing.length > 0) {
      this.#state = 'length';
      this.#left = framing.length;
    } else if (framing.kind === 'chunked') this.#state = 'size';
    else if (framing.kind === 'close') this.#state = 'close';
    else this.#finish();
    return true;
  }

  #size(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    let size = 0;
    if (line === '' || line.length > 8) throw new NotCanonical(`a chunk size: ${line}`);
    for (const digit of line) {
      const value = '0123456789abcdef'.indexOf(digit);
      if (value < 0) throw new NotCanonical(`a chunk size: ${line}`);
      size = size * 16 + value;
    }
    if (line.startsWith('0') && line !== '0') throw new NotCanonical(`a chunk size: ${line}`);
    this.#left = size;
    this.#state = size === 0 ? 'last' : 'data';
    return true;
  }

  #data(): boolean {
    const part = this.#take(Math.min(this.#left, this.#rest.length));
    this.messages.at(-1)!.parts.push(part);
    this.#left -= part.length;
    if (this.#left > 0) return false;
    if (this.#state === 'data') this.#state = 'data-end';
    else this.#finish();
    return true;
  }

  #finish(): void {
    this.#state = 'head';
    this.messages.at(-1)!.complete = true;
  }
}

function fieldOf(line: string): Field {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  if (!isToken(name)) throw new NotCanonical(`a field name: ${line}`);
  if (line[colon + 1] !== ' ') throw new NotCanonical(`no single space after the colon: ${line}`);
  const value = line.slice(colon + 2);
  if (value !== '' && (isBlank(value[0]!) || isBlank(value.at(-1)!))) throw new NotCanonical(`blanks around: ${line}`);
  return [name, value];
}

/** Fields that would change the meaning of a message if they were merged into its head. */
const NO_TRAILERS = ['connection', 'te', 'trailer', 'upgrade', 'authorization', 'cookie', 'set-cookie', 'expect'];

function checkTrailer(line: string): void {
  const [name] = fieldOf(line);
  const plain = name.toLowerCase();
  if ([...NO_TRAILERS, ...HOP, ...OWN, ...OWN_ALSO].includes(plain) || plain.startsWith('x-forwarded-'))
    throw new NotCanonical(`the trailer ${name}`);
}

const isBlank = (char: string): boolean => char === ' ' || char === '\t';

/** A decimal number in the form that gw writes. @throws NotCanonical for other spellings */
function decimal(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0 || String(value) !== text)
    throw new NotCanonical(`a Content-Length: ${text}`);
  return value;
}

function framingOf(message: WireMessage): Framing | undefined {
  const lengths = valuesOf(message, 'content-length');
  const codings = valuesOf(message, 'transfer-encoding');
  if (lengths.length + codings.length > 1) throw new NotCanonical('two framings');
  if (codings.length > 0) {
    if (codings[0] !== 'chunked') throw new NotCanonical(`a transfer coding: ${codings[0]}`);
    return { kind: 'chunked' };
  }
  return lengths.length > 0 ? { kind: 'length', length: decimal(lengths[0]!) } : undefined;
}

const one = (message: WireMessage, name: string): void => {
  const { length } = valuesOf(message, name);
  if (length !== 1) throw new NotCanonical(`${length} fields ${name}`);
};

/** Hop-by-hop fields that gw never forwards. */
const HOP = ['keep-alive', 'te', 'trailer', 'http2-settings', 'proxy-connection'];
/** Fields that gw writes; aliases with underscores are forbidden, because many targets read `_` as `-`. */
const OWN = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-request-id', 'content-length'];
const OWN_ALSO = ['transfer-encoding', 'forwarded', 'via', 'host'];

/** Rules for requests to a target. */
export const REQUEST_RULES: WireRules = {
  frame(message) {
    const [method = '', target = '', version, ...more] = message.first.split(' ');
    if (!isToken(method) || version !== 'HTTP/1.1' || more.length > 0)
      throw new NotCanonical(`a request line: ${message.first}`);
    if (!target.startsWith('/') && !(target === '*' && method === 'OPTIONS'))
      throw new NotCanonical(`a request target: ${target}`);
    for (let i = 0; i < target.length; i++) {
      const code = target.charCodeAt(i);
      if (code <= 0x20 || code >= 0x7f || code === 0x23) throw new NotCanonical(`a request target: ${target}`);
    }
    one(message, 'host');
    one(message, 'x-request-id');
    one(message, 'x-forwarded-for');
    one(message, 'x-forwarded-proto');
    if (valuesOf(message, 'x-forwarded-host').length > 1) throw new NotCanonical('two fields x-forwarded-host');
    for (const [name] of message.fields) {
      const plain = name.toLowerCase();
      if (HOP.includes(plain)) throw new NotCanonical(`the field ${name}`);
      const alias = plain.split('_').join('-');
      if (alias !== plain && (OWN.includes(alias) || OWN_ALSO.includes(alias))) throw new NotCanonical(`alias ${name}`);
    }
    const expect = valuesOf(message, 'expect');
    if (expect.length > 1 || (expect.length === 1 && expect[0] !== '100-continue')) throw new NotCanonical('an Expect');
    steering(message, ['upgrade']);
    return framingOf(message) ?? { kind: 'none' };
  },
};

/** `connection` may only contain the given options; `upgrade` requires `connection: upgrade`. */
function steering(message: WireMessage, may: readonly string[]): void {
  const connection = valuesOf(message, 'connection');
  const upgrade = valuesOf(message, 'upgrade');
  const value = connection[0]?.toLowerCase();
  if (connection.length > 1 || (value !== undefined && !may.includes(value)))
    throw new NotCanonical(`connection: ${connection.join(', ')}`);
  if (upgrade.length > 0 !== (value === 'upgrade')) throw new NotCanonical('an Upgrade that nothing announces');
}

/** The status of a status line. @throws NotCanonical if it is invalid */
export function statusOf(first: string): number {
  const status = Number(first.slice(9, 12));
  if (!first.startsWith('HTTP/1.1 ') || first[12] !== ' ' || !Number.isInteger(status) || status < 100 || status > 599)
    throw new NotCanonical(`a status line: ${first}`);
  return status;
}

export const isInterim = (message: WireMessage): boolean =>
  message.first[9] === '1' && !message.first.includes(' 101 ');

/**
 * Rules for replies to a client. `methodOf` returns the request method of the n-th final reply; undefined if unknown.
 */
export class ReplyRules implements WireRules {
  readonly #methodOf: (index: number, reply: WireMessage) => string | undefined;
  #finals = 0;

  constructor(methodOf: (index: number, reply: WireMessage) => string | undefined) {
    this.#methodOf = methodOf;
  }

  frame(message: WireMessage): Framing {
    const status = statusOf(message.first);
    const framing = framingOf(message);
    for (const [name] of message.fields)
      if (HOP.includes(name.toLowerCase())) throw new NotCanonical(`the field ${name}`);
    if (status < 200 && status !== 101) {
      if (framing !== undefined) throw new NotCanonical('an interim reply with a body');
      steering(message, []);
      return { kind: 'none' };
    }
    const method = this.#methodOf(this.#finals++, message);
    one(message, 'x-request-id');
    if (valuesOf(message, 'date').length === 0) throw new NotCanonical('no date');
    steering(message, ['close', 'keep-alive', 'upgrade']);
    if (status === 204 && framing !== undefined) throw new NotCanonical('a framing of 204');
    const bodiless = method === 'HEAD' || status === 204 || status === 304;
    return bodiless ? { kind: 'none' } : (framing ?? { kind: 'close' });
  }
}
