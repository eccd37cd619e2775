/** Maps offsets in the value of a TOML string to offsets in its source. */

const ESCAPE = /\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|[ \t]*\r?\n[ \t\r\n]*|.)/sy;

/**
 * `raw` is the source of a string with its quotes. Returns a function from offsets in the value to offsets in `raw`, or
 * undefined if `raw` is not the source of `value` (a span coarser than the string).
 */
export function valueOffsets(raw: string, value: string): ((offset: number) => number) | undefined {
  const quote = raw.startsWith('"""') || raw.startsWith("'''") ? raw.slice(0, 3) : raw.slice(0, 1);
  if ((quote[0] !== '"' && quote[0] !== "'") || raw.length < quote.length * 2 || !raw.endsWith(quote)) return undefined;
  const body = raw.slice(quote.length, raw.length - quote.length);
  if (body === value) return (offset) => quote.length + Math.min(offset, value.length);
  const table = spell(body, quote);
  if (table.length !== value.length + 1) return undefined;
  return (offset) => quote.length + table[Math.max(0, Math.min(offset, value.length))]!;
}

/** The offset in the body for every code unit of the value and its end. */
function spell(body: string, quote: string): number[] {
  const table: number[] = [];
  let at = 0;
  if (quote.length === 3) at = body.startsWith('\r\n') ? 2 : body.startsWith('\n') ? 1 : 0;
  while (at < body.length) {
    ESCAPE.lastIndex = at;
    const sequence = quote[0] === '"' && body[at] === '\\' ? ESCAPE.exec(body)?.[0] : undefined;
    if (sequence === undefined) {
      table.push(at++);
      continue;
    }
    for (let unit = 0; unit < unitsOf(sequence); unit++) table.push(at);
    at += sequence.length;
  }
  table.push(body.length);
  return table;
}

/** UTF-16 code units that an escape produces: none at a line end, two beyond the basic plane. */
function unitsOf(sequence: string): number {
  if (/^\\[ \t]*\r?\n/.test(sequence)) return 0;
  return sequence[1] === 'U' && Number.parseInt(sequence.slice(2), 16) > 0xffff ? 2 : 1;
}
