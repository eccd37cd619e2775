/** Checks the syntax of a Permissions-Policy: a dictionary of structured fields (RFC 9651) with lists of origins. */

export interface PermissionsFault {
  readonly message: string;
  readonly start: number;
  readonly end: number;
}

const MEMBER = /^[a-z][a-z0-9-]*=(\*|self|\((\s*(\*|self|src|"https?:\/\/[^"\s]+"))*\s*\))$/;

/** The first fault, with its offsets in the text; undefined for none. */
export function checkPermissions(text: string): PermissionsFault | undefined {
  const seen = new Set<string>();
  let offset = 0;
  for (const part of text.split(',')) {
    const member = part.trim();
    const start = offset + part.indexOf(member);
    const at = { start, end: start + Math.max(1, member.length) };
    offset += part.length + 1;
    if (!MEMBER.test(member)) return { message: `\`${member}\` is not a feature with its origins.`, ...at };
    const name = member.slice(0, member.indexOf('='));
    if (seen.has(name)) return { message: `\`${name}\` occurs twice: browsers use the last one.`, ...at };
    seen.add(name);
  }
  return undefined;
}
