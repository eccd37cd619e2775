/** Server-sent events, as the HTML standard parses them ("Parsing an event stream"). */

export interface SseLine {
  /** Without its end. */
  readonly text: string;
  /** LF, CR, CRLF, or nothing. */
  readonly end: string;
  /** The value, if it is a line of data. */
  readonly data: string | undefined;
}

export interface SseEvent {
  readonly lines: readonly SseLine[];
  /** Lines of data, joined by LF; undefined if there is none, and then clients see no event. */
  readonly data: string | undefined;
}

/** A unit of an EventSplitter, as text. `first`: of the stream, which may begin with a byte order mark. */
export function readEvent(unit: string, first: boolean): SseEvent {
  const lines: SseLine[] = [];
  let data: string | undefined;
  for (let at = 0; at < unit.length; ) {
    const end = endOfLine(unit, at);
    const text = unit.slice(at, end);
    const next = end + (unit[end] === '\r' && unit[end + 1] === '\n' ? 2 : 1);
    const value = dataOf(first && at === 0 && text.startsWith('\ufeff') ? text.slice(1) : text);
    lines.push({ text, end: unit.slice(end, next), data: value });
    if (value !== undefined) data = data === undefined ? value : `${data}\n${value}`;
    at = next;
  }
  return { lines, data };
}

function endOfLine(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== '\n' && text[at] !== '\r') at++;
  return at;
}

function dataOf(line: string): string | undefined {
  if (line === 'data') return '';
  if (!line.startsWith('data:')) return undefined;
  return line.slice(line[5] === ' ' ? 6 : 5);
}

/**
 * The event with these data in the place of its own, and each other line as `other` returns it (undefined: as it is). Lines keep their
 * ends.
 */
export function eventText(
  { lines }: SseEvent,
  data: string | undefined,
  other: (line: string) => string | undefined = () => undefined,
): string {
  let text = '';
  let written = data === undefined;
  for (const line of lines) {
    if (line.data === undefined) text += (other(line.text) ?? line.text) + line.end;
    else if (data === undefined) text += line.text + line.end;
    else if (!written) {
      written = true;
      const parts = data.split(/\r\n|\r|\n/).map((part) => (part === '' ? 'data:' : `data: ${part}`));
      text += parts.join(line.end || '\n') + line.end;
    }
  }
  return text;
}
