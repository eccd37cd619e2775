/** `npm run fuzz`: installs what is missing, builds, fuzzes; see test/support/fuzz/main.ts for the options. */
import { join } from 'node:path';
import { build, ensureInstalled, must, ROOT } from './ensure.mjs';

ensureInstalled();
build();
const main = join(ROOT, 'dist', 'test', 'support', 'fuzz', 'main.js');
must(process.execPath, ['--enable-source-maps', main, ...process.argv.slice(2)]);
