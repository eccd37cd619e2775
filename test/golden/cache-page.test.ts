/** docs/cache.md: it has every rule of RFC 9111, and names tests and files that are there. */
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const PAGE = readFileSync('docs/cache.md', 'utf8');

interface Row {
  readonly section: string;
  readonly words: string;
  readonly gw: string;
  readonly shown: string | undefined;
}

/** The rows of the tables below a heading. */
function rowsBelow(heading: string): readonly Row[] {
  const section = PAGE.split(/^## /m).filter((part) => part.startsWith(heading));
  return section
    .flatMap((part) => part.split('\n'))
    .filter((line) => /^\| \d/.test(line))
    .map((line) => {
      const [section = '', words = '', , gw = '', shown] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return { section, words, gw, shown };
    });
}

/**
 * The sections of RFC 9111 with key words of BCP 14, and which ones. Several rules of a section with the same word may be one row, or
 * several.
 */
const RULES: Readonly<Record<string, string>> = {
  '1.2.2': 'MUST',
  '2': 'OPTIONAL',
  '3': 'MUST NOT',
  '3.1': 'MUST, MUST NOT, MAY',
  '3.2': 'MUST, MAY, SHOULD',
  '3.3': 'MUST NOT, MAY',
  '3.4': 'MUST, MAY',
  '3.5': 'MUST NOT',
  '4': 'MUST, MUST NOT',
  '4.1': 'MUST NOT, MAY, SHOULD',
  '4.2': 'MUST, MUST NOT, SHOULD',
  '4.2.2': 'MUST NOT, MAY',
  '4.2.3': 'MUST, MAY',
  '4.2.4': 'MUST NOT',
  '4.3.1': 'MUST, SHOULD, MAY',
  '4.3.2': 'MUST, MUST NOT, SHOULD, MAY',
  '4.3.3': 'MUST, MAY',
  '4.3.4': 'MUST, MUST NOT',
  '4.3.5': 'MUST, SHOULD',
  '4.4': 'MUST, MUST NOT, MAY',
  '5.1': 'SHOULD',
  '5.2': 'MUST',
  '5.2.1': 'MAY',
  '5.2.1.1': 'MUST NOT',
  '5.2.1.5': 'MUST, MUST NOT',
  '5.2.1.7': 'SHOULD',
  '5.2.2': 'MUST',
  '5.2.2.1': 'MUST NOT',
  '5.2.2.2': 'MUST, MUST NOT, SHOULD',
  '5.2.2.3': 'SHOULD',
  '5.2.2.4': 'MUST NOT, SHOULD NOT, MAY',
  '5.2.2.5': 'MUST, MUST NOT',
  '5.2.2.6': 'MUST NOT',
  '5.2.2.7': 'MUST NOT, SHOULD NOT, MAY',
  '5.2.2.8': 'MUST NOT',
  '5.2.2.9': 'MAY',
  '5.2.2.10': 'MUST NOT',
  '5.2.3': 'MUST',
  '5.2.4': 'MUST',
  '5.3': 'MUST, MUST NOT',
};

test('every MUST, SHOULD and MAY of RFC 9111 is in a row of its section', () => {
  const rows = rowsBelow('RFC 9111');
  assert.ok(rows.length > 100, `${rows.length} rows`);
  const missing = Object.entries(RULES).flatMap(([section, words]) => {
    const found = rows.filter((row) => row.section.split(/, | to /).includes(section));
    const has = new Set(found.flatMap((row) => row.words.split(', ')));
    return words.split(', ').flatMap((word) => (has.has(word) ? [] : [`${section}: ${word}`]));
  });
  assert.equal(missing, []);
});

test('every row says what gw does', () => {
  const silent = rowsBelow('RFC').filter(({ section, gw }) => gw === '' && section !== '5.2.4');
  assert.equal(silent, []);
});

const FOLDERS = ['test/policies/kits/http-cache', 'test/integration/cache', 'test/policies/http-cache-model'];

test('every test and file that a row names is there', () => {
  const names = rowsBelow('RFC').flatMap(({ shown = '' }) => shown.split(', ').filter((name) => name !== ''));
  assert.ok(names.length > 150, `${names.length} names`);
  const gone = names.filter((name) =>
    name.endsWith('.test')
      ? !FOLDERS.some((folder) => existsSync(`${folder}/${name}.ts`))
      : !existsSync(`src/policies/cache/${name}`),
  );
  assert.equal([...new Set(gone)], []);
});

test.run();
