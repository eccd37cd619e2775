/**
 * Cuts a text before lines that begin with `[`, into pieces that can be read on their own: entities, `[consumer.a]` with all
 * that is below it, and what is between them.
 *
 * A cut may be wrong, inside a string or an array of several lines. So each piece must be valid on its own: no text that
 * ends within a value is. Then the text is valid and means the same if no piece adds to a table of another one. That holds
 * if each entity is one piece, and if nothing else names its kind.
 */

/** A part of the text, from a line start to a line start. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  /** The kind and the name of its entity; '' for what is not an entity on its own. */
  readonly kind: string;
  readonly name: string;
}

const ENTITY = /\[\[?([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)[.\]]/y;
/** A header that is not that of an entity: `[[route]]`, `[consumer]`. */
const OTHER = /\[\[?[ \t]*([A-Za-z0-9_-]+)/y;

/** The pieces in order. Neighbours differ in entity, and each entity is one piece. `not`: kinds that stay uncut. */
export function cutText(text: string, not: ReadonlySet<string>): Piece[] {
  const pieces = piecesOf(text, not);
  const uncut = uncutKinds(text, pieces);
  return uncut.size === 0 ? pieces : cutText(text, new Set([...not, ...uncut]));
}

function piecesOf(text: string, not: ReadonlySet<string>): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  let [kind, name] = entityAt(text, 0, not);
  for (let at = text.indexOf('\n['); at >= 0; at = text.indexOf('\n[', at + 1)) {
    const [nextKind, nextName] = entityAt(text, at + 1, not);
    if (nextKind === kind && nextName === name) continue;
    if (at + 1 > start) pieces.push({ start, end: at + 1, kind, name });
    [start, kind, name] = [at + 1, nextKind, nextName];
  }
  if (text.length > start) pieces.push({ start, end: text.length, kind, name });
  return pieces;
}

const NONE = ['', ''] as const;

function entityAt(text: string, at: number, not: ReadonlySet<string>): readonly [kind: string, name: string] {
  ENTITY.lastIndex = at;
  const found = ENTITY.exec(text);
  return found === null || not.has(found[1]!) ? NONE : [found[1]!, found[2]!];
}

/** Kinds with an entity in several pieces, or with a header of their own. */
function uncutKinds(text: string, pieces: readonly Piece[]): Set<string> {
  const names = new Map<string, Set<string>>();
  const uncut = new Set<string>();
  for (const { kind, name } of pieces) {
    if (kind === '') continue;
    const known = names.get(kind);
    if (known === undefined) names.set(kind, new Set([name]));
    else if (known.has(name)) uncut.add(kind);
    else known.add(name);
  }
  for (const { start, end, kind } of pieces) {
    if (kind !== '') continue;
    for (let at = start; at >= 0 && at < end; at = text.indexOf('\n[', at) + 1 || end) {
      OTHER.lastIndex = at;
      const other = OTHER.exec(text)?.[1];
      if (other !== undefined && names.has(other)) uncut.add(other);
    }
  }
  return uncut;
}
