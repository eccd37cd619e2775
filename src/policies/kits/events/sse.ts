/**
 * Server-sent events, as the HTML standard parses them ("Parsing an event stream"): UTF-8, lines that end in LF, CR or CRLF, a
 * byte order mark at the start, comments, and data of several lines.
 */

import { Held } from './held.js';

/** A block of lines up to an empty line, or one comment between events. */
export interface SseEvent {
  /** The event's type; empty if it has none, which means `message`. */
  readonly type: string;
  /** Lines of `data`, joined by LF; undefined if there is none, and then clients see no event. */
  readonly data: string | undefined;
  /** The last `id` of the block, which clients send as Last-Event-ID; undefined if there is none. */
  readonly id: string | undefined;
  /** Milliseconds before a reconnect; undefined if there is none. */
  readonly retry: number | undefined;
  /** All lines that are not `data`, without their ends, in their order: fields, comments and what clients ignore. */
  readonly others: readonly string[];
  /** How many of `others` precede the first line of data. */
  readonly dataAt: number;
  /** False for a comment that came between events: it is passed on at once, because it keeps the connection alive. */
  readonly ended: boolean;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Splits a stream into events. Memory is bounded by one event.
 *
 *     const events = new SseSplitter(256 << 10, (event) => out.write(sseText(event, changed(event.data))));
 *     if (!events.write(chunk)) fail();       // an event is too long
 *     events.end();
 */
export class SseSplitter {
  readonly #maxBytes: number;
  readonly #onEvent: (event: SseEvent) => void;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #held = new Held();
  #block = new Block();
  #afterReturn = false;
  #first = true;
  #failed = false;

  /** `maxBytes` of an event with all its lines. */
  constructor(maxBytes: number, onEvent: (event: SseEvent) => void) {
    this.#maxBytes = maxBytes;
    this.#onEvent = onEvent;
  }

  /** False if an event is too long; then nothing more is read. */
  write(bytes: Uint8Array): boolean {
    if (this.#failed) return false;
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) {
        this.#afterReturn = false;
        continue;
      }
      // The LF of a CRLF, perhaps in another chunk.
      const second = byte === LINE_FEED && this.#afterReturn;
      this.#afterReturn = byte === CARRIAGE_RETURN;
      if (!second && !this.#line(chunk.subarray(start, at))) return false;
      start = at + 1;
    }
    return this.#hold(chunk.subarray(start));
  }

  /** What is left is no whole event, and clients discard it. Returns whether something was left. */
  end(): boolean {
    const left = this.#held.length > 0 || this.#block.bytes > 0;
    this.#fail();
    return left;
  }

  #hold(rest: Buffer): boolean {
    if (this.#block.bytes + this.#held.length + rest.length > this.#maxBytes) return this.#fail();
    this.#held.add(rest);
    return true;
  }

  #line(last: Buffer): boolean {
    const bytes = this.#held.take(last);
    if (this.#block.bytes + bytes.length > this.#maxBytes) return this.#fail();
    let line = this.#decoder.decode(bytes);
    if (this.#first && line.startsWith('\ufeff')) line = line.slice(1);
    this.#first = false;
    if (line === '') {
      if (this.#block.bytes > 0) this.#emit(true);
      return true;
    }
    this.#block.add(line, bytes.length + 1);
    if (this.#block.isComment) this.#emit(false);
    return true;
  }

  #emit(ended: boolean): void {
    const event = this.#block.event(ended);
    this.#block = new Block();
    this.#onEvent(event);
  }

  #fail(): false {
    this.#failed = true;
    this.#held.clear();
    this.#block = new Block();
    return false;
  }
}

/** The lines of an event so far. */
class Block {
  bytes = 0;
  readonly #others: string[] = [];
  #data: string | undefined;
  #dataAt = 0;
  #type = '';
  #id: string | undefined;
  #retry: number | undefined;

  /** Whether it is one comment and nothing else. */
  get isComment(): boolean {
    return this.#data === undefined && this.#others.length === 1 && this.#others[0]!.startsWith(':');
  }

  add(line: string, bytes: number): void {
    this.bytes += bytes;
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'data') {
      if (this.#data === undefined) this.#dataAt = this.#others.length;
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
      return;
    }
    this.#others.push(line);
    if (name === 'event') this.#type = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && /^[0-9]+$/.test(value)) this.#retry = Number(value);
  }

  event(ended: boolean): SseEvent {
    return {
      type: this.#type,
      data: this.#data,
      id: this.#id,
      retry: this.#retry,
      others: this.#others,
      dataAt: this.#data === undefined ? this.#others.length : this.#dataAt,
      ended,
    };
  }
}

/** The event as text with these data in place of its own; all other lines as they came. Lines end in LF. */
export function sseText(event: SseEvent, data: string | undefined = event.data): string {
  let text = '';
  const lines = (list: readonly string[]): void => {
    for (const line of list) text += `${line}\n`;
  };
  lines(event.others.slice(0, event.dataAt));
  if (data !== undefined)
    for (const line of data.split(/\r\n|\r|\n/)) text += line === '' ? 'data:\n' : `data: ${line}\n`;
  lines(event.others.slice(event.dataAt));
  return event.ended ? `${text}\n` : text;
}
