'use strict';

const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const main = join(__dirname, '..', 'dist', 'src', 'cli', 'main.js');

if (existsSync(main)) {
  import(pathToFileURL(main).href).then(({ main }) => main(process.argv.slice(2)));
} else {
  process.stderr.write(`gw is not built yet (${main} is missing). Run \`npm run build\` in its folder.\n`);
  process.exitCode = 2;
}
