/** What a command that fails prints, and its exit code: the one way from an error to the terminal or to JSON. */
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errnoCode } from '../reason.js';
import type { Diagnostic } from '../schema/diagnostic.js';
import { CommandError, EXIT, type FailureKind, SpecError } from './exit-codes.js';
import type { Io } from './io.js';
import { shellWord } from './shell-word.js';

/** The folder of the package. Stack frames leave it out, so that a report says nothing about the machine. */
const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url));
const MOST_FRAMES = 8;
/** The process, or the system, has no file descriptor left. */
const LACKS_DESCRIPTORS = new Set(['EMFILE', 'ENFILE']);

/** With `--json`, standard output gets this instead of a result. docs/commands.md describes it. */
interface FailureJson {
  readonly version: 1;
  readonly error: {
    readonly kind: FailureKind;
    readonly exitCode: number;
    readonly message: string;
    /** Of a spec with errors, as in `gw validate --json`. */
    readonly diagnostics?: readonly object[];
  };
}

/**
 * Prints why a command failed: for people on standard error, with `--json` as one object on standard output. Returns the
 * exit code. `argv` and `version` are for a bug report.
 */
export async function reportFailure(
  error: unknown,
  io: Io,
  { argv, version }: { readonly argv: readonly string[]; readonly version: string },
): Promise<number> {
  const kind = kindOf(error);
  const exitCode = EXIT[kind];
  const message = error instanceof CommandError ? error.message : bugReport(error, argv, version);
  if (asksForJson(argv)) {
    const diagnostics = error instanceof SpecError ? { diagnostics: await diagnosticsJson(error, io.cwd) } : {};
    io.json<FailureJson>({ version: 1, error: { kind, exitCode, message, ...diagnostics } });
  } else if (error instanceof SpecError) {
    const { render } = await import('../lint/render/index.js');
    const options = { color: io.errorColor, columns: io.errorColumns, base: io.cwd };
    io.error(render(error.diagnostics, error.files, 'pretty', options).trimEnd());
  } else {
    io.error(error instanceof CommandError ? `${io.paintError('red', 'gw:')} ${message}` : message);
  }
  return exitCode;
}

function kindOf(error: unknown): FailureKind {
  if (error instanceof CommandError) return error.kind;
  return LACKS_DESCRIPTORS.has(errnoCode(error) ?? '') || isOfCustomCode(error) ? 'failed' : 'bug';
}

/** Whether code of the project threw where no caller of gw can catch it: in a promise or a timer. */
function isOfCustomCode(error: unknown): boolean {
  return error instanceof Error && /^\s+at .*\bcustom:/.test(framesOf(error)[0] ?? '');
}

async function diagnosticsJson({ diagnostics, files }: SpecError, base: string): Promise<readonly Diagnostic[]> {
  const { render } = await import('../lint/render/index.js');
  const text = render(diagnostics, files, 'json', { color: false, base });
  return (JSON.parse(text) as { diagnostics: readonly Diagnostic[] }).diagnostics;
}

/** Read from the words themselves: the command line may be too wrong to be parsed. */
export function asksForJson(argv: readonly string[]): boolean {
  const words = wordsBeforeEnd(argv);
  return words.some(
    (word, index) => /^--(format=)?json$/.test(word) || (word === '--format' && words[index + 1] === 'json'),
  );
}

/** What comes before `--`. */
export function wordsBeforeEnd(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end === -1 ? argv : argv.slice(0, end);
}

/** What to print when gw itself fails: the lines that a bug report needs, or the resource that is missing. */
export function bugReport(error: unknown, argv: readonly string[], version: string): string {
  const code = errnoCode(error);
  if (code !== undefined && LACKS_DESCRIPTORS.has(code))
    return `gw may not open as many files as it needs (${code}). Raise the limit, for example with\n\n  ulimit -n 4096\n\nand try again.`;
  return [
    isOfCustomCode(error)
      ? 'Custom code of this spec throws in a promise or a timer that nothing waits for:'
      : 'This is a bug in gw, not in your spec. Please report it with these lines:',
    '',
    `  gw ${version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    `  command: gw ${shownArguments(argv).join(' ')}`,
    ...stackOf(error).map((line) => `  ${line}`),
  ].join('\n');
}

/** Header values stay private: `-H 'x-api-key: ...'`. */
function shownArguments(argv: readonly string[]): string[] {
  return argv.map((word, index) => {
    const before = argv[index - 1];
    if (before === '-H' || before === '--header') return `'${word.split(':')[0]}: ...'`;
    if (/^(-H.|--header=)/.test(word)) return `'${word.split(':')[0]}: ...'`;
    return shellWord(word);
  });
}

function stackOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [`thrown: ${String(error)}`];
  const lines = (error.stack ?? `${error.name}: ${error.message}`).split('\n');
  const frames = framesOf(error);
  const message = lines.filter((line) => !/^\s+at /.test(line));
  const shown = frames.slice(0, MOST_FRAMES).map((line) => `  ${line.trim()}`);
  return [...message, ...shown].map((line) => line.replaceAll(`file://${PACKAGE}`, '').replaceAll(PACKAGE, `.${sep}`));
}

const framesOf = ({ stack = '' }: Error): string[] =>
  stack.split('\n').filter((line) => /^\s+at /.test(line) && !line.includes('node:internal'));
