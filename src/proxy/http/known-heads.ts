/**
 * Heads that were read before. Reading a head depends on nothing but its bytes (and, for requests, on what KnownFields
 * holds beside them), so the same bytes need not be read twice: what the parser found then is what it would find now.
 */
import type { HeadLimits } from './request-head.js';

/** Longer ones are read anew: they hold what changes from one message to the next, and memory. */
const MAX_KNOWN = 2 * 1024;
/** Of the text that a head came with: all of it lives as long as what is kept of it. */
const MAX_TEXT = 4 * 1024;

/** What the fields of a request's head say. */
export class RequestFacts {
  seen = 0;
  /** -1 without Content-Length. */
  contentLength = -1;
  /** Names that Connection lists beside close, keep-alive and upgrade: comma-separated, lower case. */
  listed = '';
  /** Host and perhaps port, in lower case; '' when there is none (HTTP/1.0). */
  authority = '';
  /** The same without port. */
  host = '';
  /** The field lines that go to the target as they are: no hop-by-hop, framing, Host or forwarding fields among them. */
  kept = '';
}

/** A head whose request line has been read, and perhaps its fields. */
export interface RequestParts extends RequestFacts {
  readonly text: string;
  readonly method: string;
  readonly minor: number;
  readonly fieldsAt: number;
  readonly written: ReadonlySet<string>;
}

/** The fields of the last request of a connection: most clients send the same ones with each request. */
export class KnownFields {
  /** Field lines and the empty line; '' for none. */
  #text = '';
  #limits: HeadLimits | undefined = undefined;
  #written: ReadonlySet<string> | undefined = undefined;
  #minor = 1;
  readonly #facts = new RequestFacts();

  /**
   * Whether the fields of `head`, of which only the request line has been read, mean what they mean anywhere: a target in
   * absolute form stands above Host, and Max-Forwards is for two methods alone.
   */
  suits({ method, authority }: RequestParts): boolean {
    return authority === '' && method !== 'OPTIONS' && method !== 'TRACE';
  }

  /** Where the known fields follow the request line and mean the same: lays them in, returns the empty line's offset; else 0. */
  find(head: RequestParts, limits: HeadLimits): number {
    const known = this.#text;
    const { text, fieldsAt } = head;
    if (this.#limits !== limits || this.#written !== head.written || this.#minor !== head.minor) return 0;
    if (known === '' || text.slice(fieldsAt, fieldsAt + known.length) !== known) return 0;
    copy(this.#facts, head);
    return fieldsAt + known.length - 2;
  }

  /** Remembers the fields of `head`, which end with the empty line at `end`. */
  keep(head: RequestParts, end: number, limits: HeadLimits): void {
    const { text, fieldsAt } = head;
    const length = end + 2 - fieldsAt;
    // An idle connection must not hold a long request line.
    this.#text = length > MAX_KNOWN || text.length > MAX_TEXT ? '' : text.slice(fieldsAt, end + 2);
    if (this.#text === '') return;
    this.#limits = limits;
    this.#written = head.written;
    this.#minor = head.minor;
    copy(head, this.#facts);
  }
}

function copy(from: RequestFacts, to: RequestFacts): void {
  to.seen = from.seen;
  to.contentLength = from.contentLength;
  to.listed = from.listed;
  to.authority = from.authority;
  to.host = from.host;
  to.kept = from.kept;
}

/** The fields that a connection's last request went on with. Most clients send the same ones with each, so that they do again. */
export class LastFields {
  #kept = '';
  #authority = '';
  #removed = '';
  /** Field lines of the client and gw's own, up to the exchange's id; '' until they are asked for again. */
  lines = '';
  /** The same behind the Host that the client sent. */
  linesWithHost = '';

  /** Whether the last ones were made of the same, less the field `removed`; else those of this request are, from now on. */
  wereOf({ text, kept, authority }: Pick<RequestParts, 'text' | 'kept' | 'authority'>, removed: string): boolean {
    if (this.#kept === kept && this.#authority === authority && this.#removed === removed) return true;
    this.#removed = removed;
    // An idle connection must not hold a long request line.
    const short = text.length <= MAX_TEXT;
    this.#kept = short ? kept : '';
    this.#authority = short ? authority : '';
    this.lines = '';
    this.linesWithHost = '';
    return false;
  }
}

/** What the head of a reply says. */
export class ReplyFacts {
  status = 0;
  /** `200 OK`: status and reason as sent. */
  statusText = '';
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  minor = 1;
  contentLength = -1;
  chunked = false;
  /** The connection is good for no further reply: Connection: close, HTTP/1.0 without keep-alive, a doubtful end. */
  close = false;
  hasDate = false;
  /** Names that Connection lists beside close, keep-alive and upgrade: comma-separated, lower case. */
  listed = '';
  fieldsAt = 0;
  fieldsEnd = 0;
  /** Field lines that go on to the client as they are: without hop-by-hop and framing fields. */
  kept = '';

  /** Takes over what another one says. */
  copy(from: ReplyFacts): void {
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

/** A head that came before. */
export class KnownReply {
  /** The head with its empty line. */
  text: string;
  readonly facts: ReplyFacts;
  /** How a client is told the same, up to what policies add; '' where something else stands before the exchange's id. */
  opening = '';
  /** And from the id on, with the empty line. */
  closing = '';
  #again = false;

  constructor(text: string, facts: ReplyFacts) {
    this.text = text;
    this.facts = facts;
  }

  get again(): boolean {
    return this.#again;
  }

  /** It has come again: what every exchange would write anew is written once. */
  cameAgain(): void {
    if (this.#again) return;
    this.#again = true;
    this.text = flat(this.text);
    const { hasDate, listed, contentLength, statusText, kept } = this.facts;
    if (!hasDate || listed !== '' || contentLength < 0) return;
    this.opening = flat(`HTTP/1.1 ${statusText}\r\n${kept}`);
    this.closing = flat(`\r\ncontent-length: ${contentLength}\r\n\r\n`);
  }
}

/** The same text in one piece: V8 keeps a sum of texts as a tree, and walks it each time that it is written. */
export const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

/** A power of two. */
const SLOTS = 64;

/**
 * Heads of replies, by the length of the text in which they came: of what targets say over and over, the same bytes come
 * in reads of the same length.
 */
export class KnownReplies {
  readonly #slots: (KnownReply | undefined)[] = new Array(SLOTS).fill(undefined);

  /** The head that `text` begins with, where it is a known one: its facts are laid into `into`. */
  find(text: string, into: ReplyFacts): KnownReply | undefined {
    const known = this.#slots[text.length & (SLOTS - 1)];
    if (known === undefined || text.slice(0, known.text.length) !== known.text) return undefined;
    known.cameAgain();
    into.copy(known.facts);
    return known;
  }

  /**
   * The same for what buffer[from, to) begins with, where that is one that came again before: no more than it is made text
   * of. What never comes again is not tried.
   */
  findAgain(buffer: Buffer, from: number, to: number, into: ReplyFacts): KnownReply | undefined {
    const known = this.#slots[(to - from) & (SLOTS - 1)];
    if (known === undefined || !known.again) return undefined;
    const end = from + known.text.length;
    // Behind `to` lies what was read before: very likely the rest of such a head.
    if (end > to || buffer.toString('latin1', from, end) !== known.text) return undefined;
    into.copy(known.facts);
    return known;
  }

  keep(text: string, length: number, facts: ReplyFacts): void {
    if (text.length > MAX_TEXT) return;
    const known = new ReplyFacts();
    known.copy(facts);
    this.#slots[text.length & (SLOTS - 1)] = new KnownReply(text.slice(0, length), known);
  }
}
