/** `gw validate --explain CODE`: the page of docs/diagnostics about a code, from the installed package, for a terminal. */
import { fileURLToPath } from 'node:url';
import { INPUT_LIMITS, readInputText } from '../input-file.js';
import { allCodes, docsPage } from '../lint/index.js';
import { suggest } from '../schema/suggest.js';
import { EXIT, usage } from './exit-codes.js';
import type { Io, Style } from './io.js';

/** Every code that has a page, in alphabetical order. */
export const explainedCodes = (): readonly string[] => allCodes().map(({ code }) => code);

/** Prints the page about `code`; returns the exit code. Throws CommandError for a code that has no page. */
export async function printCode(io: Io, code: string, { json }: { readonly json: boolean }): Promise<number> {
  const entry = allCodes().find((one) => one.code === code);
  if (entry === undefined) return printControlCode(io, code, json);
  const page = readInputText(docsPath(docsPage(code)), { maxBytes: INPUT_LIMITS.spec });
  const { severity, summary } = entry;
  if (json) io.json({ version: 1, code, severity, summary, page });
  else io.write(terminalText(page, (style, text) => io.paint(style, text)));
  return EXIT.ok;
}

/** Codes that a gateway reports when it loads a spec have a table in docs/running.md instead of pages. */
async function printControlCode(io: Io, code: string, json: boolean): Promise<number> {
  const { CONTROL_CODES } = await import('../control/codes.js');
  const entry = CONTROL_CODES.find((one) => one.code === code);
  if (entry === undefined) throw unknownCode(code, CONTROL_CODES);
  const { severity, summary } = entry;
  if (json) io.json({ version: 1, code, severity, summary, page: null });
  else {
    const where = 'gw reports it when a spec is loaded, because it depends on the machine.';
    io.write(`${io.paint('bold', code)}\n\n${summary} (${severity})\n${where}\nSee ${docsPath('docs/running.md')}\n`);
  }
  return EXIT.ok;
}

function unknownCode(code: string, more: readonly { readonly code: string }[]): Error {
  const near = suggest(code, [...explainedCodes(), ...more.map((one) => one.code)]);
  const hint = near === undefined ? '' : ` Did you mean \`${near}\`?`;
  return usage(`There is no code \`${code}\`.${hint}\nAll codes: ${docsPath('docs/diagnostics/README.md')}`);
}

/** In the installed package. */
const docsPath = (page: string): string => fileURLToPath(new URL(`../../../${page}`, import.meta.url));

/** Markdown for a terminal: headings bold, code indented, links and fences without their marks. */
function terminalText(page: string, paint: (style: Style, text: string) => string): string {
  let inCode = false;
  const lines: string[] = [];
  for (const line of page.trimEnd().split('\n')) {
    if (line.startsWith('```')) {
      inCode = !inCode;
      continue;
    }
    if (inCode) lines.push(line === '' ? '' : `    ${paint('cyan', line)}`);
    else lines.push(...wrapped(plainLine(line)).map((part) => (line.startsWith('#') ? paint('bold', part) : part)));
  }
  return `${lines.join('\n')}\n`;
}

const plainLine = (line: string): string =>
  line
    .replace(/^#+ /, '')
    .replace(/\*\*(.+?)\*\*/g, '$1')
    .replace(/\[([^\]]+)\]\([^)]+\)/g, '$1');

const COLUMNS = 80;

/** Lines of at most 80 columns, broken between words. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
