/** Applies the safe fixes of diagnostics to their texts. */
import type { Diagnostic, Edit, Fix } from '../../schema/diagnostic.js';
import type { SourceFile } from '../../spec/model.js';

export interface FixedFile {
  readonly file: SourceFile;
  readonly text: string;
}

export interface FixResult {
  /** Only files that changed. */
  readonly files: readonly FixedFile[];
  readonly applied: number;
  /** Safe fixes that overlap an applied one; another round may apply them. */
  readonly skipped: number;
}

/** A fix is applied completely or not at all; of two overlapping fixes the first one wins. */
export function applySafeFixes(diagnostics: readonly Diagnostic[], files: readonly SourceFile[]): FixResult {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const accepted = new Map<SourceFile, EditSet>();
  let applied = 0;
  let skipped = 0;
  for (const { fix } of diagnostics) {
    if (fix?.applicability !== 'safe') continue;
    if (accept(fix, byPath, accepted)) applied++;
    else skipped++;
  }
  const changed = [...accepted].map(([file, { edits }]) => ({ file, text: applyEdits(file.text, edits) }));
  return { files: changed.filter(({ file, text }) => text !== file.text), applied, skipped };
}

function accept(fix: Fix, files: ReadonlyMap<string, SourceFile>, accepted: Map<SourceFile, EditSet>): boolean {
  const wanted = new Map<SourceFile, EditSet>();
  for (const edit of fix.edits) {
    const file = files.get(edit.span.file);
    if (!file || edit.span.end.offset > file.text.length) return false;
    const own = wanted.get(file) ?? new EditSet();
    const met = [...(accepted.get(file)?.meeting(edit) ?? []), ...own.meeting(edit)];
    if (met.some((other) => same(other, edit))) continue;
    if (met.length > 0) return false;
    own.add(edit);
    wanted.set(file, own);
  }
  for (const [file, { edits }] of wanted) {
    const all = accepted.get(file) ?? new EditSet();
    for (const edit of edits) all.add(edit);
    accepted.set(file, all);
  }
  return true;
}

/** Characters per bucket of the index below. */
const STRETCH = 256;

/** Edits of one file; no two overlap. */
class EditSet {
  readonly edits: Edit[] = [];
  readonly #byStretch = new Map<number, Edit[]>();

  add(edit: Edit): void {
    this.edits.push(edit);
    for (const stretch of stretchesOf(edit)) {
      const known = this.#byStretch.get(stretch);
      if (known) known.push(edit);
      else this.#byStretch.set(stretch, [edit]);
    }
  }

  /** An edit that equals or overlaps this one; equal edits first. */
  meeting(edit: Edit): readonly Edit[] {
    const met: Edit[] = [];
    for (const stretch of stretchesOf(edit)) {
      for (const other of this.#byStretch.get(stretch) ?? []) {
        if (same(other, edit)) return [other];
        if (met.length === 0 && overlap(other, edit)) met.push(other);
      }
      if (met.length > 0) return met;
    }
    return met;
  }
}

function* stretchesOf({ span: { start, end } }: Edit): Generator<number> {
  const last = Math.floor(end.offset / STRETCH);
  for (let stretch = Math.floor(start.offset / STRETCH); stretch <= last; stretch++) yield stretch;
}

const same = (a: Edit, b: Edit): boolean =>
  a.text === b.text && a.span.start.offset === b.span.start.offset && a.span.end.offset === b.span.end.offset;

/** Two insertions at the same place count as overlapping, because their order is undefined. */
function overlap(a: Edit, b: Edit): boolean {
  const [first, second] = a.span.start.offset <= b.span.start.offset ? [a.span, b.span] : [b.span, a.span];
  return first.end.offset > second.start.offset || first.start.offset === second.start.offset;
}

/** Applies edits from the end, so that earlier offsets stay valid. Inserted line ends follow the surrounding lines. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const mark = markLength(text);
  const placed = edits.map(({ span, text: replacement }) => {
    const start = span.end.offset <= mark ? startOf(text) : Math.max(span.start.offset, mark);
    const written = replacement.includes('\n') ? replacement.replaceAll('\n', lineEndAt(text, start)) : replacement;
    return { start, end: Math.max(start, span.end.offset), written };
  });
  // Edits with the same start end up in reverse order, as if applied one after the other from the end.
  placed.sort((a, b) => b.start - a.start);
  const pieces: string[] = [];
  let rest = text.length;
  for (const { start, end, written } of placed) {
    pieces.push(text.slice(Math.min(end, rest), rest), written);
    rest = Math.min(start, rest);
  }
  pieces.push(text.slice(0, rest));
  return pieces.reverse().join('');
}

/** Where text at the start of a file is inserted: after a byte order mark and editor directives. */
function startOf(text: string): number {
  const directives = /^\uFEFF?(#:[^\n]*\n)*/.exec(text);
  return directives?.[0].length ?? 0;
}

const markLength = (text: string): number => (text.startsWith('\uFEFF') ? 1 : 0);

/** The line end of the line at the offset, or of the line before it if that line has none. */
function lineEndAt(text: string, offset: number): string {
  const next = text.indexOf('\n', offset);
  const at = next < 0 ? text.lastIndexOf('\n') : next;
  return at > 0 && text[at - 1] === '\r' ? '\r\n' : '\n';
}
