/** docs/policies and docs/actions have the READMEs as pages: the npm package has no sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

interface Page {
  readonly page: string;
  readonly text: string;
}

const pages = async (): Promise<readonly Page[]> => {
  const module = (await import(pathToFileURL(resolve('scripts/readme-pages.mjs')).href)) as {
    readmePages(root: string): readonly Page[];
  };
  return module.readmePages('.');
};

test('each README of a policy or an action is a page of the docs, as it is now', async () => {
  const all = await pages();
  assert.ok(all.length > 30);
  for (const { page, text } of all) assert.is(readFileSync(page, 'utf8'), text, `${page} is stale: npm run reference`);
  const there = ['policies', 'actions'].flatMap((kind) =>
    readdirSync(join('docs', kind)).map((file) => join('docs', kind, file)),
  );
  assert.equal(there.sort(), all.map(({ page }) => page).sort());
});

test('pages link to pages', async () => {
  for (const { page, text } of await pages()) assert.not.match(text, /\]\([^)]*README\.md/, page);
});

test.run();
