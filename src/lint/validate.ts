/** What `gw validate` does: checks specs, mends what can be mended safely, renders. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { INPUT_LIMITS, readInputFile } from '../input-file.js';
import { writeOutput } from '../output-file.js';
import { reasonOf } from '../reason.js';
import { type Diagnostic, hasErrors } from '../schema/diagnostic.js';
import type { SourceFile } from '../spec/model.js';
import { applySafeFixes, type FixedFile } from './fix.js';
import { type CheckedSpec, checkSpec } from './index.js';
import { type Format, relocated, render } from './render/index.js';
import { counted } from './render/summary.js';

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

/** A fix may uncover another one; a spec that keeps changing is no better for it. */
const MOST_ROUNDS = 8;

/** Never throws for what is in the specs; a file that cannot be written is told in `notes`. */
export function validate(options: ValidateOptions): Validated {
  const notes: string[] = [];
  const failures: string[] = [];
  const lines: string[] = [];
  const diagnostics: Diagnostic[] = [];
  const files = new Map<string, SourceFile>();
  const checked: string[] = [];
  for (const path of options.specs) {
    const spec = checkAndFix(path, options, notes, failures);
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

function checkAndFix(path: string, options: ValidateOptions, notes: string[], failures: string[]): CheckedSpec {
  const load = { path, ...(options.overlays ? { overlays: options.overlays } : {}) };
  let spec = checkSpec(load);
  if (options.fix !== true) return spec;
  let applied = 0;
  const written = new Set<string>();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const result = applySafeFixes(spec.diagnostics, spec.files);
    if (result.files.length === 0) break;
    const before = failures.length;
    for (const fixed of result.files) {
      const failure = write(fixed);
      if (failure === undefined) written.add(relative(options.cwd, fixed.file.absolute) || fixed.file.path);
      else failures.push(failure);
    }
    spec = checkSpec(load);
    if (failures.length > before) break;
    applied += result.applied;
  }
  if (applied > 0) notes.push(`Fixed ${counted(applied, 'problem')} in ${[...written].join(', ')}.`);
  return spec;
}

/** Writes a fixed text; returns why not, in words, when it could not. A file that somebody just changed stays as it is. */
function write({ file, text }: FixedFile): string | undefined {
  try {
    // A pipe has nothing to write back to, and reading it again would wait for ever.
    if (!statSync(file.absolute).isFile()) return `${file.path} could not be fixed: it is no plain file.`;
    const now = createHash('sha256')
      .update(readInputFile(file.absolute, { maxBytes: INPUT_LIMITS.spec }))
      .digest('hex');
    if (now !== file.sha256) return `${file.path} changed while it was checked; nothing was fixed in it.`;
    writeOutput(file.absolute, text);
    return undefined;
  } catch (error) {
    return `${file.path} could not be fixed: ${reasonOf(error)}.`;
  }
}
