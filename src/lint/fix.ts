/** Applies the safe fixes of diagnostics to the texts they are about. */
import type { Diagnostic, Edit, Fix } from '../schema/diagnostic.js';
import type { SourceFile } from '../spec/model.js';

export interface FixedFile {
  readonly file: SourceFile;
  readonly text: string;
}

export interface FixResult {
  /** Only files that changed. */
  readonly files: readonly FixedFile[];
  readonly applied: number;
  /** Safe fixes that touch what another one already changed; another round may apply them. */
  readonly skipped: number;
}

/** A fix is applied whole or not at all; of two that overlap the first in order wins. */
export function applySafeFixes(diagnostics: readonly Diagnostic[], files: readonly SourceFile[]): FixResult {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const accepted = new Map<SourceFile, Edit[]>();
  let applied = 0;
  let skipped = 0;
  for (const { fix } of diagnostics) {
    if (fix?.applicability !== 'safe') continue;
    if (accept(fix, byPath, accepted)) applied++;
    else skipped++;
  }
  const changed = [...accepted].map(([file, edits]) => ({ file, text: applyEdits(file.text, edits) }));
  return { files: changed.filter(({ file, text }) => text !== file.text), applied, skipped };
}

function accept(fix: Fix, files: ReadonlyMap<string, SourceFile>, accepted: Map<SourceFile, Edit[]>): boolean {
  const wanted: [SourceFile, Edit][] = [];
  for (const edit of fix.edits) {
    const file = files.get(edit.span.file);
    if (!file || edit.span.end.offset > file.text.length) return false;
    const others = [
      ...(accepted.get(file) ?? []),
      ...wanted.flatMap(([owner, other]) => (owner === file ? [other] : [])),
    ];
    if (others.some((other) => same(other, edit))) continue;
    if (others.some((other) => overlap(other, edit))) return false;
    wanted.push([file, edit]);
  }
  for (const [file, edit] of wanted) {
    const edits = accepted.get(file);
    if (edits) edits.push(edit);
    else accepted.set(file, [edit]);
  }
  return true;
}

const same = (a: Edit, b: Edit): boolean =>
  a.text === b.text && a.span.start.offset === b.span.start.offset && a.span.end.offset === b.span.end.offset;

/** Two insertions at one place count as overlapping: their order would be a guess. */
function overlap(a: Edit, b: Edit): boolean {
  const [first, second] = a.span.start.offset <= b.span.start.offset ? [a.span, b.span] : [b.span, a.span];
  return first.end.offset > second.start.offset || first.start.offset === second.start.offset;
}

/** From the end, so that earlier offsets stay true. Line ends of what is written are those of the lines around it. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const { span, text: replacement } of [...edits].sort((a, b) => b.span.start.offset - a.span.start.offset)) {
    const mark = markLength(text);
    const start = span.end.offset <= mark ? startOf(text) : Math.max(span.start.offset, mark);
    const end = Math.max(start, span.end.offset);
    const written = replacement.replaceAll('\n', lineEndAt(text, start));
    result = result.slice(0, start) + written + result.slice(end);
  }
  return result;
}

/** Where what is put before everything goes: behind a byte order mark, and behind the directives of editors. */
function startOf(text: string): number {
  const directives = /^\uFEFF?(#:[^\n]*\n)*/.exec(text);
  return directives?.[0].length ?? 0;
}

const markLength = (text: string): number => (text.startsWith('\uFEFF') ? 1 : 0);

/** Of the line at the offset; of the one before where the text ends without. */
function lineEndAt(text: string, offset: number): string {
  const next = text.indexOf('\n', offset);
  const at = next < 0 ? text.lastIndexOf('\n') : next;
  return at > 0 && text[at - 1] === '\r' ? '\r\n' : '\n';
}
