import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the package: taken off stack frames, so that a report tells nothing of the machine it comes from. */
const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url));
const MOST_FRAMES = 8;

/** What to print when gw itself has failed: says so, and gives the lines that a report needs. */
export function bugReport(error: unknown, argv: readonly string[], version: string): string {
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
    return /[\s'"$]/.test(word) ? `'${word.replaceAll("'", "'\\''")}'` : word;
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
