#!/usr/bin/env node
// Old syntax only: every version of Node must be able to parse this file, so that it can report that Node is too old.
'use strict';

var version = process.versions.node.split('.').map(Number);

if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
  process.stderr.write(
    'gw needs Node 20.19 or newer, and this is Node ' +
      process.versions.node +
      ' (' +
      process.execPath +
      ').\nInstall a newer Node (https://nodejs.org), or choose one with your version manager, and try again.\n',
  );
  process.exit(2);
}

require('./start.js');
