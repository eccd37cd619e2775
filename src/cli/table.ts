/** Tables for people. */
import stringWidth from 'string-width';

const GAP = '  ';
/** A column is not made narrower than this, unless its text is. */
const NARROWEST = 8;

/**
 * The rows below a heading, each column as wide as its text. `columns`: the width of the terminal; text that does not fit
 * is wrapped within its column, so nothing is lost. Without it, each row is one line.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { strong, columns }: { readonly strong: (text: string) => string; readonly columns?: number | undefined },
): string {
  const natural = head.map((title, index) =>
    Math.max(...[title, ...rows.map((row) => row[index] ?? '')].map((text) => stringWidth(text))),
  );
  const widths = columns === undefined ? natural : fitted(natural, columns - GAP.length * (head.length - 1));
  const lines = (row: readonly string[]): string[] => rowLines(row, widths);
  return [...lines(head).map(strong), ...rows.flatMap(lines)].map((text) => `${text}\n`).join('');
}

/** Widths whose sum is at most `room`, if the narrowest columns allow it: the widest ones give way, to a common width. */
function fitted(natural: readonly number[], room: number): readonly number[] {
  for (let most = Math.max(...natural); most > NARROWEST; most--) {
    const widths = natural.map((width) => Math.min(width, most));
    const left = room - widths.reduce((sum, width) => sum + width, 0);
    // What is left over goes to the first column that was cut.
    if (left >= 0) {
      const cut = natural.findIndex((width) => width > most);
      return widths.map((width, index) => (index === cut ? Math.min(natural[index]!, width + left) : width));
    }
  }
  return natural.map((width) => Math.min(width, NARROWEST));
}

function rowLines(row: readonly string[], widths: readonly number[]): string[] {
  const cells = row.map((cell, index) => wrapped(cell, widths[index]!));
  const height = Math.max(...cells.map(({ length }) => length));
  return Array.from({ length: height }, (_, line) =>
    cells
      .map((parts, index) => padded(parts[line] ?? '', widths[index]!))
      .join(GAP)
      .trimEnd(),
  );
}

const padded = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - stringWidth(text)));

/** Lines of at most `width` columns: broken after a space, a comma or a slash, or in a word that is wider. */
function wrapped(text: string, width: number): string[] {
  if (stringWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const piece of text.split(/(?<=[ ,/])/).flatMap((word) => chopped(word, width))) {
    if (line !== '' && stringWidth(`${line}${piece}`.trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = piece;
    } else line += piece;
  }
  return [...lines, line.trimEnd()];
}

function chopped(word: string, width: number): string[] {
  if (stringWidth(word.trimEnd()) <= width) return [word];
  const parts: string[] = [];
  let part = '';
  for (const character of word) {
    if (part !== '' && stringWidth(part + character) > width) {
      parts.push(part);
      part = '';
    }
    part += character;
  }
  return [...parts, part];
}
