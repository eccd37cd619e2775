/**
 * Heads that were parsed before. The result of parsing a head depends on its bytes alone (and, for requests, on the limits
 * and names that KnownFields compares), so equal bytes give the same result without parsing. The same holds for writing them.
 */

/** Longer heads are parsed each time: they change from message to message, and would take memory. */
const MAX_KNOWN = 2 * 1024;
/** Longest text that a kept head may be a slice of: V8 keeps the whole text alive for a slice. */
const MAX_TEXT = 4 * 1024;

/** The parsed fields of a request head. */
export class ParsedFields {
  seen = 0;
  /** -1 without Content-Length. */
  contentLength = -1;
  /** Names in Connection other than close, keep-alive and upgrade: comma-separated, lower case. */
  listed = '';
  /** Host with its port, if sent, in lower case; '' without Host (HTTP/1.0). */
  authority = '';
  /** The same without port. */
  host = '';
  /** The field lines to send to the target: without hop-by-hop, framing, Host and forwarding fields. */
  kept = '';
}

/** A head whose request line, and possibly fields, are parsed. */
export interface ParsedRequest extends ParsedFields {
  readonly text: string;
  readonly method: string;
  readonly minor: number;
  readonly fieldsAt: number;
  readonly written: ReadonlySet<string>;
}

/** The fields of a connection's last request: most clients send the same fields with every request. */
export class KnownFields {
  /** Field lines with the empty line; '' for none. */
  #text = '';
  #limits: object | undefined = undefined;
  #written: ReadonlySet<string> | undefined = undefined;
  #minor = 1;
  readonly #parsed = new ParsedFields();

  /**
   * Whether the fields of `head`, whose request line is parsed, mean the same as in other requests: an absolute target
   * overrides Host, and Max-Forwards applies to two methods only.
   */
  applies({ method, authority }: ParsedRequest): boolean {
    return authority === '' && method !== 'OPTIONS' && method !== 'TRACE';
  }

  /** If the known fields follow the request line, copies their result into `head` and returns the empty line's offset; else 0. */
  find(head: ParsedRequest, limits: object): number {
    const known = this.#text;
    const { text, fieldsAt } = head;
    if (this.#limits !== limits || this.#written !== head.written || this.#minor !== head.minor) return 0;
    if (known === '' || text.slice(fieldsAt, fieldsAt + known.length) !== known) return 0;
    copy(this.#parsed, head);
    return fieldsAt + known.length - 2;
  }

  /** Keeps the fields of `head`, which end with the empty line at `end`. */
  keep(head: ParsedRequest, end: number, limits: object): void {
    const { text, fieldsAt } = head;
    const length = end + 2 - fieldsAt;
    // An idle connection must not keep a long request line alive.
    this.#text = length > MAX_KNOWN || text.length > MAX_TEXT ? '' : text.slice(fieldsAt, end + 2);
    if (this.#text === '') return;
    this.#limits = limits;
    this.#written = head.written;
    this.#minor = head.minor;
    copy(head, this.#parsed);
  }
}

function copy(from: ParsedFields, to: ParsedFields): void {
  to.seen = from.seen;
  to.contentLength = from.contentLength;
  to.listed = from.listed;
  to.authority = from.authority;
  to.host = from.host;
  to.kept = from.kept;
}

/** The field lines that a connection's last request was sent to the target with, for the next request with the same fields. */
export class SentFields {
  #kept = '';
  #authority = '';
  #removed = '';
  /** Field lines of the client and of gw, up to the exchange's id; '' until a second request needs them. */
  lines = '';
  /** The same after the Host that the client sent. */
  linesWithHost = '';

  /** Whether the last request had the same fields, without the field `removed`. If not, keeps those of this request. */
  matches({ text, kept }: Pick<ParsedRequest, 'text' | 'kept'>, authority: string, removed: string): boolean {
    if (this.#kept === kept && this.#authority === authority && this.#removed === removed) return true;
    this.#removed = removed;
    // An idle connection must not keep a long request line alive.
    const short = text.length <= MAX_TEXT;
    this.#kept = short ? kept : '';
    this.#authority = short ? authority : '';
    this.lines = '';
    this.linesWithHost = '';
    return false;
  }
}

/** A parsed reply head. */
export class ParsedReply {
  status = 0;
  /** `200 OK`: status and reason as sent. */
  statusText = '';
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  minor = 1;
  contentLength = -1;
  chunked = false;
  /** No further reply can follow: Connection: close, HTTP/1.0 without keep-alive, an uncertain end. */
  close = false;
  hasDate = false;
  /** Names in Connection other than close, keep-alive and upgrade: comma-separated, lower case. */
  listed = '';
  fieldsAt = 0;
  fieldsEnd = 0;
  /** The field lines to send to the client: without hop-by-hop and framing fields. */
  kept = '';

  /** Copies all of `from`. */
  copy(from: ParsedReply): void {
    this.status = from.status;
    this.statusText = from.statusText;
    this.minor = from.minor;
    this.contentLength = from.contentLength;
    this.chunked = from.chunked;
    this.close = from.close;
    this.hasDate = from.hasDate;
    this.listed = from.listed;
    this.fieldsAt = from.fieldsAt;
    this.fieldsEnd = from.fieldsEnd;
    this.kept = from.kept;
  }
}

/** A reply head that was received before. */
export class KnownReply {
  /** The head with its empty line. */
  text: string;
  readonly parsed: ParsedReply;
  #repeated = false;

  constructor(text: string, parsed: ParsedReply) {
    this.text = text;
    this.parsed = parsed;
  }

  get repeated(): boolean {
    return this.#repeated;
  }

  /** Received a second time: from now on it is compared as one flat string. */
  prepare(): void {
    if (this.#repeated) return;
    this.#repeated = true;
    this.text = flat(this.text);
  }
}

/** The same text as one flat string: V8 represents a concatenation as a tree, and walks it for each write. */
export const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

/** A power of two. */
const SLOTS = 64;

/** Reply heads by the length of the read that brought them: a target's repeated replies come in reads of equal length. */
export class KnownReplies {
  readonly #slots: (KnownReply | undefined)[] = new Array(SLOTS).fill(undefined);

  /** The known head that `text` begins with, copied into `into`; undefined if there is none. */
  find(text: string, into: ParsedReply): KnownReply | undefined {
    const known = this.#slots[text.length & (SLOTS - 1)];
    if (known === undefined || text.slice(0, known.text.length) !== known.text) return undefined;
    known.prepare();
    into.copy(known.parsed);
    return known;
  }

  /**
   * The same for buffer[from, to), for heads that were repeated before: decodes only the bytes of the head. Heads that were
   * never repeated are not tried.
   */
  findRepeated(buffer: Buffer, from: number, to: number, into: ParsedReply): KnownReply | undefined {
    const known = this.#slots[(to - from) & (SLOTS - 1)];
    if (known === undefined || !known.repeated) return undefined;
    const end = from + known.text.length;
    // The buffer holds older bytes after `to`, probably the rest of such a head.
    if (end > to || buffer.toString('latin1', from, end) !== known.text) return undefined;
    into.copy(known.parsed);
    return known;
  }

  keep(text: string, length: number, parsed: ParsedReply): void {
    if (text.length > MAX_TEXT) return;
    const known = new ParsedReply();
    known.copy(parsed);
    this.#slots[text.length & (SLOTS - 1)] = new KnownReply(text.slice(0, length), known);
  }
}
