/** The pages about diagnostics: one per code, a complete index, and verified examples. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allCodes, checkSpec, diagnosticsIndex, docsPage } from '../../src/lint/index.js';

const FOLDER = resolve('docs/diagnostics');
const pages = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.md') && file !== 'README.md')
  .map((file) => file.slice(0, -'.md'.length).replaceAll('\\', '/'))
  .sort();

/** The section of an example: the spec, and the files that it includes. */
function example(page: string, heading: string): ReadonlyMap<string, string> | undefined {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading));
  if (!section) return undefined;
  const files = new Map<string, string>();
  for (const found of section.matchAll(/(?:with `([^`]+)`:\n\n```(?:toml|ts|yaml|json|txt)|```toml)\n([\s\S]*?)```/g)) {
    files.set(found[1] ?? 'gateway.toml', found[2]!);
  }
  return files.get('gateway.toml')?.startsWith('include = "**') ? undefined : files;
}

function codesIn(files: ReadonlyMap<string, string>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'gw-docs-'));
  try {
    for (const [name, text] of files) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return checkSpec({ path: join(folder, 'gateway.toml') }).diagnostics.map(({ code }) => code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('every code has a page, and every page has a code', () => {
  assert.equal(
    pages,
    allCodes().map(({ code }) => code),
  );
});

test('the index lists all pages', () => {
  const path = join(FOLDER, 'README.md');
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, diagnosticsIndex());
  assert.is(readFileSync(path, 'utf8'), diagnosticsIndex());
});

const WORDS = { error: 'Error', warning: 'Warning', info: 'Info' } as const;

for (const { code, severity, summary } of allCodes()) {
  test(`the page of ${code} agrees with the catalogue, and its examples are correct`, () => {
    const page = readFileSync(resolve(docsPage(code)), 'utf8');
    const title = `# ${code}\n\n**${WORDS[severity]}.** ${summary}.\n`;
    assert.is(page.slice(0, title.length), title);
    const wrong = example(page, 'Wrong');
    const right = example(page, 'Right');
    if (wrong && wrong.size > 0) assert.ok(codesIn(wrong).includes(code), `the wrong example has no ${code}`);
    if (right) assert.equal(codesIn(right), []);
  });
}

test.run();
