/** `npm run reference`: writes what is derived from the declarations of the language, after a build. A test compares. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './ensure.mjs';
import { readmePages } from './readme-pages.mjs';

const { referencePage } = await import('../dist/src/spec/reference.js');
const { errorsPage } = await import('../dist/src/control/errors-page.js');
const { specJsonSchema } = await import('../dist/src/spec/json-schema.js');

writeFileSync(join(ROOT, 'docs', 'reference.md'), referencePage());
writeFileSync(join(ROOT, 'docs', 'gateway.schema.json'), `${JSON.stringify(specJsonSchema(), null, 2)}\n`);
const errors = join(ROOT, 'docs', 'errors.md');
writeFileSync(errors, errorsPage(readFileSync(errors, 'utf8')));

const pages = readmePages(ROOT);
// The page of a policy that is gone goes too.
for (const folder of new Set(pages.map(({ page }) => dirname(page))))
  rmSync(join(ROOT, folder), { recursive: true, force: true });
for (const { page, text } of pages) {
  mkdirSync(join(ROOT, dirname(page)), { recursive: true });
  writeFileSync(join(ROOT, page), text);
}
