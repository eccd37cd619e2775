/** Columns for people: as wide as they need to be, the last one as long as its text. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  strong: (text: string) => string,
): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [strong(line(head)), ...rows.map(line)].map((text) => `${text}\n`).join('');
}
