import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errnoCode } from '../reason.js';
import { shellWord } from './shell-word.js';

/** The folder of the package: taken off stack frames, so that a report tells nothing of the machine it comes from. */
const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url));
const MOST_FRAMES = 8;
/** The process, or the system, has no file descriptor left: the machine is to be changed, and not gw. */
const LACKS_DESCRIPTORS = new Set(['EMFILE', 'ENFILE']);

/** What to print when gw itself has failed: says so, and gives the lines that a report needs; or what it lacked. */
export function bugReport(error: unknown, argv: readonly string[], version: string): string {
  const code = errnoCode(error);
  if (code !== undefined && LACKS_DESCRIPTORS.has(code))
    return `gw may not open as many files as it needs (${code}). Raise the limit, for example with\n\n  ulimit -n 4096\n\nand try again.`;
  return [
    'This is a bug in gw, not in your spec. Please report it with these lines:',
    '',
    `  gw ${version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    `  command: gw ${shownArguments(argv).join(' ')}`,
    ...stackOf(error).map((line) => `  ${line}`),
  ].join('\n');
}

/** Header values and key files stay private: `-H 'x-api-key: ...'`. */
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
  const frames = lines.filter((line) => /^\s+at /.test(line) && !line.includes('node:internal'));
  const message = lines.filter((line) => !/^\s+at /.test(line));
  const shown = frames.slice(0, MOST_FRAMES).map((line) => `  ${line.trim()}`);
  return [...message, ...shown].map((line) => line.replaceAll(`file://${PACKAGE}`, '').replaceAll(PACKAGE, `.${sep}`));
}
