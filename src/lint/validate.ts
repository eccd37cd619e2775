/** What `gw validate` does: checks specs, mends what can be mended safely, renders. */
import { dirname, relative } from 'node:path';
import { counted } from '../plural.js';
import { type Diagnostic, hasErrors } from '../schema/diagnostic.js';
import type { SourceFile } from '../spec/model.js';
import { type CheckedSpec, checkSpec } from './index.js';
import { mend } from './mend.js';
import { type Format, relocated, render } from './render/index.js';

export interface ValidateOptions {
  /** Paths of the specs. */
  readonly specs: readonly string[];
  readonly overlays?: readonly string[];
  readonly format: Format;
  readonly color: boolean;
  /** Of the terminal, where there is one. */
  readonly columns?: number | undefined;
  /** Paths are shown relative to it. */
  readonly cwd: string;
  readonly denyWarnings?: boolean;
  /** Writes safe fixes into the files. */
  readonly fix?: boolean;
}

export interface Validated {
  readonly output: string;
  /** False: errors, warnings that are denied, or a fix that could not be written. */
  readonly passed: boolean;
  /** What was changed on disk, or could not be, in words for people. */
  readonly notes: readonly string[];
}

/** Fixes that were left out, listed one by one. */
const MOST_REFUSED = 5;

/** Never throws for what is in the specs; a file that cannot be written is told in `notes`. */
export function validate(options: ValidateOptions): Validated {
  const notes: string[] = [];
  const failures: string[] = [];
  const lines: string[] = [];
  const diagnostics: Diagnostic[] = [];
  const files = new Map<string, SourceFile>();
  const checked: string[] = [];
  const specs = checkAll(options, notes, failures);
  for (const [index, path] of options.specs.entries()) {
    const spec = specs[index]!;
    const shown = (file: SourceFile): string => relative(options.cwd, file.absolute) || file.path;
    const names = new Map(spec.files.map((file) => [file.path, shown(file)]));
    for (const file of spec.files) files.set(shown(file), { ...file, path: shown(file) });
    const move = (name: string): string =>
      names.get(name) ?? (relative(options.cwd, `${dirname(path)}/${name}`) || name);
    for (const diagnostic of spec.diagnostics) {
      diagnostics.push(relocated(diagnostic, (span) => ({ ...span, file: move(span.file) })));
    }
    checked.push(relative(options.cwd, path) || path);
    if (spec.value && spec.diagnostics.length === 0) lines.push(cleanLine(checked.at(-1)!, spec));
  }
  const unique = withoutRepeats(diagnostics);
  const denied = options.denyWarnings === true && unique.some(({ severity }) => severity === 'warning');
  const { format, color, columns, denyWarnings = false } = options;
  const rendered = render(unique, [...files.values()], format, { color, columns, denyWarnings, checked });
  const clean = format === 'pretty' ? lines.map((line) => `${line}\n`).join('') : '';
  return {
    output: `${clean}${rendered}`,
    passed: !hasErrors(unique) && !denied && failures.length === 0,
    notes: [...notes, ...failures],
  };
}

/** Specs that include one file say the same of it twice. */
function withoutRepeats(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter(({ code, span, message }) => {
    const key = `${code}\n${span.file}\n${span.start.offset}\n${message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function cleanLine(path: string, { value }: CheckedSpec): string {
  const routes = counted(value!.routes.length, 'route');
  return `${path}: ${routes}, ${counted(value!.services.length, 'service')}, no problems`;
}

/** Checks the specs; with `fix` after mending them. What was done goes to `notes`, what could not be to `failures`. */
function checkAll(options: ValidateOptions, notes: string[], failures: string[]): readonly CheckedSpec[] {
  const { specs, overlays = [], cwd } = options;
  if (options.fix !== true) return specs.map((path) => checkSpec({ path, overlays }));
  const mended = mend(specs, overlays);
  const written = mended.written.map((absolute) => relative(cwd, absolute) || absolute);
  if (mended.applied > 0) notes.push(`Fixed ${counted(mended.applied, 'problem')} in ${written.join(', ')}.`);
  for (const { diagnostic, cause } of mended.refused.slice(0, MOST_REFUSED)) {
    const { code, span } = diagnostic;
    const place = `${relative(cwd, span.file) || span.file}:${span.start.line}`;
    const why = cause === undefined ? 'it would cause another error' : `it would cause \`${cause.code}\``;
    notes.push(`Left the fix of \`${code}\` at ${place} out: ${why}.`);
  }
  failures.push(...mended.failures);
  return mended.checked;
}
