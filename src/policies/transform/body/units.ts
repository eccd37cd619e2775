/** The units of a streamed body: lines of JSON, and server-sent events. */
import { NdjsonSplitter, ndjsonLine, type SseEvent, SseSplitter, sseText } from '../../kits/events/index.js';

export interface Unit {
  /** JSON; undefined: the unit passes unchanged. */
  readonly document: Uint8Array | undefined;
  /** The unit with another document, or with its own. */
  text(document?: string): string;
}

/** Cuts a stream into units. */
export interface Units {
  /** Returns false for a unit that is too long. */
  write(bytes: Uint8Array): boolean;
  end(): boolean;
}

/** `max`: bytes of a unit. `add` gets each one as soon as it is complete. */
export function unitsOf(kind: 'lines' | 'events', max: number, add: (unit: Unit) => void): Units {
  if (kind === 'lines') return new NdjsonSplitter(max, (line) => add(new Line(Buffer.from(line))));
  const events = new SseSplitter(max, (event) => add(new Event(event)));
  // What is left at the end is no event: clients discard it.
  return { write: (bytes) => events.write(bytes), end: () => events.end() || true };
}

/** `line`: without its line feed. */
export const lineOf = (line: Uint8Array): Unit => new Line(Buffer.from(line.buffer, line.byteOffset, line.byteLength));

class Line implements Unit {
  readonly #line: Buffer;

  constructor(line: Buffer) {
    this.#line = line;
  }

  get document(): Uint8Array | undefined {
    return isBlank(this.#line) ? undefined : this.#line;
  }

  text(document?: string): string {
    return ndjsonLine(document ?? this.#line.toString('utf8'));
  }
}

/** Whether a line has only what JSON takes for white space. */
const isBlank = (line: Uint8Array): boolean => line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);

class Event implements Unit {
  readonly #event: SseEvent;

  constructor(event: SseEvent) {
    this.#event = event;
  }

  /** Comments, and the `[DONE]` with which some streams end, are no documents. */
  get document(): Uint8Array | undefined {
    const data = this.#event.data?.trim() ?? '';
    return data === '' || data === '[DONE]' ? undefined : Buffer.from(data);
  }

  text(document?: string): string {
    return sseText(this.#event, document ?? this.#event.data);
  }
}
