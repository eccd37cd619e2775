/** Pages lead somewhere: each relative link to a file and a heading that are there, each file named in code to a file. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const below = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file));

const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...below('docs'), ...below('src')].filter((file) =>
  file.endsWith('.md'),
);

/** A page without its blocks of code, which link to nothing. */
const prose = (page: string): string => readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```/gm, '');

/** The anchors of a page's headings, as GitHub makes them. */
const anchors = (page: string): string[] =>
  [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );

function broken(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (!existsSync(file)) return true;
  return anchor !== undefined && file.endsWith('.md') && !anchors(file).includes(anchor);
}

test('every link leads to a file and a heading that are there', () => {
  const links = pages.flatMap((page) =>
    [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => ({ page, link })),
  );
  const inside = links.filter(({ link }) => !/^[a-z]+:/.test(link));
  assert.ok(inside.length > 100, String(inside.length));
  assert.equal(
    inside.filter(({ page, link }) => broken(page, link)),
    [],
  );
});

test('every file that a page names in code is there', () => {
  const named = pages.flatMap((page) =>
    [...prose(page).matchAll(/`((?:bench|bin|docs|fixtures|scripts|src|test)\/[\w./-]+\.\w+)`/g)].map(
      ([, file = '']) => ({ page, file }),
    ),
  );
  assert.ok(named.length > 10, String(named.length));
  assert.equal(
    named.filter(({ file }) => !existsSync(file)),
    [],
  );
});

test.run();
