/** Checks specs, applies safe fixes if asked, and renders the diagnostics: what `gw validate` does. */
import { dirname, relative } from 'node:path';
import { counted } from '../plural.js';
import { type Diagnostic, hasErrors } from '../schema/diagnostic.js';
import type { ReadFile } from '../spec/files.js';
import type { SourceFile } from '../spec/model.js';
import { fixSpecs } from './fix/fix-specs.js';
import { type CheckedSpec, checkSpec } from './index.js';
import { type Format, relocated, render } from './render/index.js';

export interface ValidateOptions {
  /** Paths of the specs. */
  readonly specs: readonly string[];
  readonly overlays?: readonly string[];
  /** Reads the files, if not from the disk; `fix` does not use it. */
  readonly read?: ReadFile | undefined;
  readonly format: Format;
  readonly color: boolean;
  /** Width of the terminal, if there is one. */
  readonly columns?: number | undefined;
  /** Paths are shown relative to it. */
  readonly cwd: string;
  readonly denyWarnings?: boolean;
  /** Writes safe fixes into the files. */
  readonly fix?: boolean;
  /** The pretty format shows only what fails: errors, and warnings that are denied. */
  readonly errorsOnly?: boolean;
  /** Runs no code of custom policies; their settings are not checked. */
  readonly noCode?: boolean;
}

export interface Validated {
  readonly output: string;
  /** False: there are errors, denied warnings, or fixes that could not be written. */
  readonly passed: boolean;
  /** What was changed on disk and which fixes were left out, as sentences. */
  readonly notes: readonly string[];
  /** Files that could not be written, as sentences. */
  readonly failures: readonly string[];
  /** Codes of the diagnostics in the output, each once. */
  readonly codes: readonly string[];
}

/** At most this many left-out fixes are listed. */
const MOST_REFUSED = 5;

/** Never throws for the content of a spec. `failures` reports files that cannot be written. */
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
  const unchecked = [...new Set(specs.flatMap((spec) => spec.unchecked))];
  if (unchecked.length > 0) notes.push(uncheckedNote(unchecked));
  const unique = withoutRepeats(diagnostics);
  const denied = options.denyWarnings === true && unique.some(({ severity }) => severity === 'warning');
  const { format, color, columns, denyWarnings = false, errorsOnly = false } = options;
  const shown = errorsOnly && !denyWarnings && format === 'pretty' ? unique.filter(isError) : unique;
  const rendered = render(shown, [...files.values()], format, { color, columns, denyWarnings, checked });
  const clean = format === 'pretty' && !errorsOnly ? lines.map((line) => `${line}\n`).join('') : '';
  return {
    output: `${clean}${rendered}`,
    passed: !hasErrors(unique) && !denied && failures.length === 0,
    notes,
    failures,
    codes: [...new Set(shown.map(({ code }) => code))],
  };
}

const uncheckedNote = (uses: readonly string[]): string =>
  `Not run, so their settings are not checked: ${uses.map((use) => `\`${use}\``).join(', ')}.`;

const isError = ({ severity }: Diagnostic): boolean => severity === 'error';

/** Specs that include the same file report its diagnostics twice. */
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

/** Checks the specs, after fixing them if asked. Adds to `notes` what was done, and to `failures` what was not. */
function checkAll(options: ValidateOptions, notes: string[], failures: string[]): readonly CheckedSpec[] {
  const { specs, overlays = [], read, cwd } = options;
  const code = options.noCode === true ? 'none' : undefined;
  if (options.fix !== true) return specs.map((path) => checkSpec({ path, overlays, read, code }));
  const fixed = fixSpecs(specs, overlays, code);
  const written = fixed.written.map((absolute) => relative(cwd, absolute) || absolute);
  if (fixed.applied > 0) notes.push(`Fixed ${counted(fixed.applied, 'problem')} in ${written.join(', ')}.`);
  for (const { diagnostic, cause } of fixed.refused.slice(0, MOST_REFUSED)) {
    const { code, span } = diagnostic;
    const place = `${relative(cwd, span.file) || span.file}:${span.start.line}`;
    const why = cause === undefined ? 'it would cause another error' : `it would cause \`${cause.code}\``;
    notes.push(`Did not apply the fix of \`${code}\` at ${place}: ${why}.`);
  }
  failures.push(...fixed.failures);
  return fixed.checked;
}
