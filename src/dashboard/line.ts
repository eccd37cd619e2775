/** Lines of toned text: what views are made of, before Ink. Each is exactly as wide as it says. */
import { clean, type FitOptions, fit, toAscii, width } from './text.js';
import type { Theme, Tone } from './theme.js';

export interface Span {
  readonly text: string;
  readonly tone: Tone;
  readonly inverse?: boolean;
}

export type Line = readonly Span[];

/** Text that is safe to print, in the terminal's own alphabet. */
export function printable(text: string, theme: Theme): string {
  return theme.ascii ? toAscii(clean(text)) : clean(text);
}

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone };
}

/** `text` in exactly `columns`. */
export function cell(text: string, columns: number, theme: Theme, options: FitOptions & { tone?: Tone } = {}): Span {
  // Cut first: what is longer than any screen need not be looked at character by character.
  const head = text.length > columns * 8 + 64 ? fit(text, columns * 4 + 16, options) : text;
  return {
    text: fit(printable(head, theme), columns, { ...options, mark: theme.glyphs.ellipsis }),
    tone: options.tone ?? 'plain',
  };
}

export function lineWidth(line: Line): number {
  let total = 0;
  for (const { text } of line) total += width(text);
  return total;
}

/** A line of exactly `columns`: padded, or cut within the span that does not fit. */
export function fitLine(line: Line, columns: number, theme: Theme): Line {
  const out: Span[] = [];
  let left = columns;
  for (const part of line) {
    const own = width(part.text);
    if (own <= left) {
      out.push(part);
      left -= own;
      continue;
    }
    if (left > 0) out.push({ ...part, text: fit(part.text, left, { mark: theme.glyphs.ellipsis }) });
    return out;
  }
  if (left > 0) out.push(span(' '.repeat(left)));
  return out;
}

/** `left` and `right` at the two ends of a line; where both do not fit, the left one is cut. */
export function spread(left: Line, right: Line, columns: number, theme: Theme): Line {
  const rightWidth = lineWidth(right);
  if (rightWidth >= columns) return fitLine(right, columns, theme);
  return [...fitLine(left, columns - rightWidth, theme), ...right];
}

/** Shows a line as selected. */
export function inverse(line: Line): Line {
  return line.map((part) => ({ ...part, inverse: true }));
}

/** Exactly `rows` lines of `columns` each. */
export function fitBlock(lines: readonly Line[], columns: number, rows: number, theme: Theme): Line[] {
  const out = lines.slice(0, rows).map((line) => fitLine(line, columns, theme));
  while (out.length < rows) out.push([span(' '.repeat(columns))]);
  return out;
}

/** A rule with a title in it: the top, a divider or the bottom of a frame. */
function rule(title: Line, tail: Line, columns: number, ends: readonly [string, string], theme: Theme): Line {
  const { line } = theme.glyphs.box;
  const titled: Span[] = title.length > 0 ? [span(' '), ...title, span(' ')] : [];
  const tailed: Span[] = tail.length > 0 ? [span(' '), ...tail, span(' '), span(line, 'dim')] : [];
  const room = columns - 3;
  const head = lineWidth(titled) > room ? fitLine(titled, room, theme) : titled;
  const left = room - lineWidth(head);
  const end = lineWidth(tailed) <= left - 1 ? tailed : [];
  const fill = line.repeat(Math.max(0, left - lineWidth(end)));
  return [span(ends[0] + line, 'dim'), ...head, span(fill, 'dim'), ...end, span(ends[1], 'dim')];
}

export interface Section {
  readonly title: Line;
  readonly tail?: Line;
  readonly lines: readonly Line[];
}

/** Sections stacked in one frame of `columns`; each section's lines are fitted to the inner width. */
export function frame(sections: readonly Section[], columns: number, theme: Theme): Line[] {
  const { box } = theme.glyphs;
  const out: Line[] = [];
  for (const [index, section] of sections.entries()) {
    const ends: [string, string] = index === 0 ? [box.topLeft, box.topRight] : [box.left, box.right];
    const tail = index === 0 && theme.stale !== undefined ? [span(theme.stale, 'alert')] : (section.tail ?? []);
    out.push(rule(section.title, tail, columns, ends, theme));
    for (const line of section.lines) {
      out.push([span(box.side, 'dim'), ...fitLine(line, columns - 2, theme), span(box.side, 'dim')]);
    }
  }
  out.push(rule([], [], columns, [box.bottomLeft, box.bottomRight], theme));
  return out;
}
