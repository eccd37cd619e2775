/**
 * Applies safe fixes to specs, first in memory. Only fixes that cause no new error in any spec are written, to all files
 * or to none.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { INPUT_LIMITS, readInputFile } from '../../input-file.js';
import { writeOutput } from '../../output-file.js';
import { reasonOf } from '../../reason.js';
import type { Diagnostic } from '../../schema/diagnostic.js';
import type { SourceFile } from '../../spec/model.js';
import { type ReadProblem, readText } from '../../spec/source.js';
import { type CheckedSpec, checkSpec, type LoadOptions } from '../index.js';
import { relocated } from '../render/index.js';
import { applySafeFixes } from './apply.js';

/** A fix may uncover another one; the bound ends fixes that undo each other. */
const MAX_ROUNDS = 8;
/** Maximum number of checks of all specs in one run. Fixes not tried by then are left out. */
const MAX_CHECKS = 100;
/** Characters that checks after the first `FEW` may read. */
const MAX_CHARACTERS = 50_000_000;
const FEW = 4;

export interface FixedSpecs {
  /** The checked specs after the fixes, in the order given. */
  readonly checked: readonly CheckedSpec[];
  readonly applied: number;
  /** Absolute paths of the files that changed. */
  readonly written: readonly string[];
  /** Fixes left out: the diagnostic, at its absolute path, and the error that the fix would cause. */
  readonly refused: readonly { readonly diagnostic: Diagnostic; readonly cause: Diagnostic | undefined }[];
  /** Why nothing could be written, as sentences. */
  readonly failures: readonly string[];
}

/** Fixes specs together, because they may share files. Never throws for the content of a spec. */
export function fixSpecs(
  specs: readonly string[],
  overlays: readonly string[] = [],
  code?: LoadOptions['code'],
): FixedSpecs {
  return new SpecFixer(specs, overlays, code).run();
}

type Texts = ReadonlyMap<string, string>;

/** All specs, with some texts replacing those on disk. */
interface State {
  readonly texts: Texts;
  readonly checked: readonly CheckedSpec[];
  /** Diagnostics of all specs, each once, with absolute paths. */
  readonly diagnostics: readonly Diagnostic[];
  /** How often each error occurs, by code, file and message. */
  readonly errors: ReadonlyMap<string, number>;
  readonly files: ReadonlyMap<string, SourceFile>;
  /** Number of fixes that led to this state. */
  readonly applied: number;
}

class SpecFixer {
  readonly #loads: readonly { readonly path: string; readonly overlays: readonly string[] }[];
  readonly #specs: number;
  /** Content of each file when it was first read: a pipe can be read only once. */
  readonly #disk = new Map<string, string | ReadProblem>();
  /** Files as on disk, by absolute path; also those that only a fixed file includes. */
  readonly #originals = new Map<string, SourceFile>();
  readonly #refused: { diagnostic: Diagnostic; cause: Diagnostic | undefined }[] = [];
  readonly #code: LoadOptions['code'];
  #checks = 0;
  #characters = 0;

  constructor(specs: readonly string[], overlays: readonly string[], code: LoadOptions['code']) {
    this.#code = code;
    const over = specs.map((path) => ({ path, overlays }));
    // A fix must not break the spec without its overlays either.
    const alone = overlays.length === 0 ? [] : specs.map((path) => ({ path, overlays: [] }));
    this.#loads = [...over, ...alone];
    this.#specs = specs.length;
  }

  run(): FixedSpecs {
    const first = this.#check(new Map(), 0);
    let last = first;
    // A fix that caused an error at first may not do so after other fixes.
    for (let before: State | undefined; last !== before && !this.#isSpent(); ) {
      before = last;
      this.#refused.length = 0;
      last = this.#attempt(last, fixable(last.diagnostics), first);
    }
    const failures = this.#write(last);
    const done = failures.length === 0 ? last : first;
    const written = [...done.texts.keys()];
    const applied = written.length === 0 ? 0 : done.applied;
    return { checked: done.checked.slice(0, this.#specs), applied, written, refused: this.#refused, failures };
  }

  /** Applies as many fixes as possible; bisects to find those that cause errors. */
  #attempt(state: State, wanted: readonly Diagnostic[], first: State): State {
    if (wanted.length === 0 || this.#isSpent()) return state;
    const trial = this.#applied(state, wanted, first);
    const cause = newError(trial, first);
    if (cause === undefined) return trial;
    if (wanted.length === 1) {
      this.#refused.push({ diagnostic: wanted[0]!, cause: cause.diagnostic });
      return state;
    }
    const middle = wanted.length >> 1;
    const half = this.#attempt(state, wanted.slice(0, middle), first);
    return this.#attempt(half, wanted.slice(middle), first);
  }

  /** Applies the fixes of `wanted` and of the diagnostics that they uncover. */
  #applied(state: State, wanted: readonly Diagnostic[], first: State): State {
    const chosen = new Set(wanted.map(keyOf));
    const known = new Set(first.diagnostics.map(keyOf));
    let current = state;
    for (let round = 0; round < MAX_ROUNDS && !this.#isSpent(); round++) {
      const due = current.diagnostics.filter((each) => chosen.has(keyOf(each)) || !known.has(keyOf(each)));
      const { files, applied } = applySafeFixes(due, [...current.files.values()]);
      if (files.length === 0) break;
      const texts = new Map([...current.texts, ...files.map(({ file, text }) => [file.absolute, text] as const)]);
      current = this.#check(texts, current.applied + applied);
    }
    return current;
  }

  #isSpent(): boolean {
    return this.#checks >= MAX_CHECKS || (this.#checks >= FEW && this.#characters >= MAX_CHARACTERS);
  }

  #check(texts: Texts, applied: number): State {
    this.#checks++;
    const read = (absolute: string, pipes: boolean): string | ReadProblem => {
      const text = texts.get(absolute) ?? this.#disk.get(absolute) ?? readText(absolute, pipes);
      if (!texts.has(absolute)) this.#disk.set(absolute, text);
      return text;
    };
    const checked = this.#loads.map((load) => checkSpec({ ...load, read, code: this.#code }));
    const files = new Map<string, SourceFile>();
    const errors = new Map<string, number>();
    const diagnostics = new Map<string, Diagnostic>();
    for (const [index, spec] of checked.entries()) {
      const paths = new Map(spec.files.map(({ path, absolute }) => [path, absolute]));
      for (const file of spec.files) {
        this.#characters += file.text.length;
        files.set(file.absolute, { ...file, path: file.absolute });
        if (!texts.has(file.absolute) && !this.#originals.has(file.absolute)) this.#originals.set(file.absolute, file);
      }
      for (const each of spec.diagnostics) {
        const moved = relocated(each, (span) => ({ ...span, file: paths.get(span.file) ?? span.file }));
        const key = keyOf(moved);
        if (moved.severity === 'error') errors.set(`${index} ${key}`, (errors.get(`${index} ${key}`) ?? 0) + 1);
        if (index < this.#specs) diagnostics.set(`${moved.span.start.offset} ${key}`, moved);
      }
    }
    return { texts, checked, diagnostics: [...diagnostics.values()], errors, files, applied };
  }

  /** Writes all changed files or none; returns the reasons if none. */
  #write({ texts }: State): string[] {
    const changed = [...texts].flatMap(([absolute, text]) => {
      const file = this.#originals.get(absolute);
      return file === undefined ? [] : [{ file, text }];
    });
    const failures = changed.flatMap(({ file }) => whyNot(file) ?? []);
    if (failures.length > 0) return failures;
    const done: SourceFile[] = [];
    for (const { file, text } of changed) {
      try {
        writeOutput(file.absolute, text);
        done.push(file);
      } catch (error) {
        return [`${file.path} could not be fixed: ${reasonOf(error)}.`, ...undo(done)];
      }
    }
    return [];
  }
}

/** Why a file cannot be written; undefined if it can. A file that changed meanwhile is not overwritten. */
function whyNot(file: SourceFile): string | undefined {
  try {
    // A pipe cannot be written back, and reading it again would wait forever.
    if (!statSync(file.absolute).isFile()) return `${file.path} cannot be fixed: it is not a regular file.`;
    const bytes = readInputFile(file.absolute, { maxBytes: INPUT_LIMITS.spec });
    if (createHash('sha256').update(bytes).digest('hex') === file.sha256) return undefined;
    return `${file.path} changed during the check and was not fixed.`;
  } catch (error) {
    return `${file.path} could not be fixed: ${reasonOf(error)}.`;
  }
}

function undo(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    try {
      writeOutput(file.absolute, file.text);
      return [];
    } catch (error) {
      return [`${file.path} is fixed and could not be restored: ${reasonOf(error)}.`];
    }
  });
}

/** Without the position, which changes with every fix before it. */
const keyOf = ({ code, span, message }: Diagnostic): string => `${code}\n${span.file}\n${message}`;

const fixable = (diagnostics: readonly Diagnostic[]): Diagnostic[] =>
  diagnostics.filter(({ fix }) => fix?.applicability === 'safe');

/** An error that occurs more often in `trial` than in `first`; its diagnostic if it occurs in a spec with overlays. */
function newError(trial: State, first: State): { readonly diagnostic: Diagnostic | undefined } | undefined {
  for (const [key, count] of trial.errors) {
    if (count <= (first.errors.get(key) ?? 0)) continue;
    const plain = key.slice(key.indexOf(' ') + 1);
    return { diagnostic: trial.diagnostics.find((each) => keyOf(each) === plain) };
  }
  return undefined;
}
