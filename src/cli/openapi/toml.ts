/** Pieces of TOML as an import writes them. */

/** Characters of one comment. */
const LONGEST_COMMENT = 2000;

/** Control characters have no place in a TOML comment. */
export function comment(text: string): string[] {
  const lines = text.slice(0, LONGEST_COMMENT).split(/\r\n|[\n\r]/);
  return lines.map((line) => `# ${line.replace(/[\u0000-\u001f\u007f]/g, ' ')}`.trimEnd());
}

/** A basic string. */
export function quoted(text: string): string {
  const whole = Buffer.from(text, 'utf8').toString('utf8');
  // JSON's escapes are TOML's, but for DEL, which JSON leaves as it is.
  return JSON.stringify(whole).replaceAll('\u007f', '\\u007F');
}

/** An inline table of conditions. */
export function inlineTable(entries: readonly (readonly [key: string, value: string | boolean])[]): string {
  return `{ ${entries.map(([key, value]) => `${quoted(key)} = ${typeof value === 'string' ? quoted(value) : value}`).join(', ')} }`;
}
