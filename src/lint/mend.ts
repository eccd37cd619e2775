/**
 * Applies safe fixes to specs, in memory first: only what leaves no spec with an error that it did not have before is
 * written, all files or none.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { INPUT_LIMITS, readInputFile } from '../input-file.js';
import { writeOutput } from '../output-file.js';
import { reasonOf } from '../reason.js';
import type { Diagnostic } from '../schema/diagnostic.js';
import type { SourceFile } from '../spec/model.js';
import { type ReadProblem, readText } from '../spec/source.js';
import { applySafeFixes } from './fix.js';
import { type CheckedSpec, checkSpec } from './index.js';
import { relocated } from './render/index.js';

/** A fix may uncover another one; a spec that keeps changing does not get better. */
const MAX_ROUNDS = 8;
/** Checks of all specs in one run. What is not tried by then stays as it is. */
const MAX_CHECKS = 100;
/** Characters that those checks may read, beyond the first few. */
const MAX_CHARACTERS = 50_000_000;
const FEW = 4;

export interface Mended {
  /** What is there now, in the order of the specs. */
  readonly checked: readonly CheckedSpec[];
  readonly applied: number;
  /** Absolute paths of the files that changed. */
  readonly written: readonly string[];
  /** Fixes that were left out: the diagnostic, at its absolute path, and the error that the fix would cause. */
  readonly refused: readonly { readonly diagnostic: Diagnostic; readonly cause: Diagnostic | undefined }[];
  /** Why nothing could be written, in words. */
  readonly failures: readonly string[];
}

/** Mends specs together, since they may share files. Never throws for what is in them. */
export function mend(specs: readonly string[], overlays: readonly string[] = []): Mended {
  const mender = new Mender(specs, overlays);
  return mender.run();
}

type Texts = ReadonlyMap<string, string>;

/** All specs with some texts in place of what is on disk. */
interface State {
  readonly texts: Texts;
  readonly checked: readonly CheckedSpec[];
  /** Of all specs, each once, with absolute paths. */
  readonly diagnostics: readonly Diagnostic[];
  /** How often each error occurs, by what it says of which file. */
  readonly errors: ReadonlyMap<string, number>;
  readonly files: ReadonlyMap<string, SourceFile>;
  /** Fixes that led here. */
  readonly applied: number;
}

class Mender {
  readonly #loads: readonly { readonly path: string; readonly overlays: readonly string[] }[];
  readonly #specs: number;
  /** What the disk held when a file was first read: each file is read once, also one that is a pipe. */
  readonly #disk = new Map<string, string | ReadProblem>();
  /** Files as they are on disk, by absolute path; also those that only a fixed file includes. */
  readonly #originals = new Map<string, SourceFile>();
  readonly #refused: { diagnostic: Diagnostic; cause: Diagnostic | undefined }[] = [];
  #checks = 0;
  #characters = 0;

  constructor(specs: readonly string[], overlays: readonly string[]) {
    const over = specs.map((path) => ({ path, overlays }));
    // A fix must not break what holds without the overlays either.
    const alone = overlays.length === 0 ? [] : specs.map((path) => ({ path, overlays: [] }));
    this.#loads = [...over, ...alone];
    this.#specs = specs.length;
  }

  run(): Mended {
    const first = this.#check(new Map(), 0);
    let last = first;
    // What did harm at first may do none once other fixes are in.
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

  /** The state with as many of the fixes as can be had; halves them until what does harm is found. */
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

  /** Applies the fixes of `wanted`, and those of what they uncover. */
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
    const checked = this.#loads.map((load) => checkSpec({ ...load, read }));
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

  /** Writes what changed, all of it or nothing; returns why not. */
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

/** Why a file cannot be written; undefined where it can. A file that changed meanwhile stays as it is. */
function whyNot(file: SourceFile): string | undefined {
  try {
    // A pipe has nothing to write back to, and reading it again would wait for ever.
    if (!statSync(file.absolute).isFile()) return `${file.path} could not be fixed: it is not a regular file.`;
    const bytes = readInputFile(file.absolute, { maxBytes: INPUT_LIMITS.spec });
    if (createHash('sha256').update(bytes).digest('hex') === file.sha256) return undefined;
    return `${file.path} changed while it was checked; nothing was fixed in it.`;
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
      return [`${file.path} stays fixed, and could not be written back: ${reasonOf(error)}.`];
    }
  });
}

/** Without the place, which every fix before it moves. */
const keyOf = ({ code, span, message }: Diagnostic): string => `${code}\n${span.file}\n${message}`;

const fixable = (diagnostics: readonly Diagnostic[]): Diagnostic[] =>
  diagnostics.filter(({ fix }) => fix?.applicability === 'safe');

/** An error that `trial` has more often than `first`, with its diagnostic where a spec with its overlays has it. */
function newError(trial: State, first: State): { readonly diagnostic: Diagnostic | undefined } | undefined {
  for (const [key, count] of trial.errors) {
    if (count <= (first.errors.get(key) ?? 0)) continue;
    const plain = key.slice(key.indexOf(' ') + 1);
    return { diagnostic: trial.diagnostics.find((each) => keyOf(each) === plain) };
  }
  return undefined;
}
