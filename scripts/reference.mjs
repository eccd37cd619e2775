/** `npm run reference`: writes what is derived from the declarations of the language, after a build. A test compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './ensure.mjs';

const { referencePage } = await import('../dist/src/spec/reference.js');
const { errorsPage } = await import('../dist/src/control/errors-page.js');
const { specJsonSchema } = await import('../dist/src/spec/json-schema.js');

writeFileSync(join(ROOT, 'docs', 'reference.md'), referencePage());
writeFileSync(join(ROOT, 'docs', 'gateway.schema.json'), `${JSON.stringify(specJsonSchema(), null, 2)}\n`);
const errors = join(ROOT, 'docs', 'errors.md');
writeFileSync(errors, errorsPage(readFileSync(errors, 'utf8')));
