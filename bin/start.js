'use strict';

const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const main = join(__dirname, '..', 'dist', 'src', 'cli', 'main.js');

heedSignals(process.argv.slice(2).find((word) => !word.startsWith('-')));

if (existsSync(main)) {
  import(pathToFileURL(main).href).then(({ main }) => main(process.argv.slice(2)));
} else {
  process.stderr.write(`gw is not built yet (${main} is missing). Run \`npm run build\` in its folder.\n`);
  process.exitCode = 2;
}

/**
 * Signals from the first moment on, while gw is being loaded, until its last one. Without a listener SIGUSR1 starts Node's
 * inspector, SIGHUP and SIGUSR2 end the process, and a process with number 1, as in a container, takes no notice of SIGTERM.
 */
function heedSignals(command) {
  process.on('SIGUSR1', () => {});
  // One that came before this line may have started it, or is about to.
  closeInspector();
  setImmediate(closeInspector);
  if (command !== 'serve' && command !== 'dash') return;
  process.on('SIGUSR2', () => {});
  if (command !== 'serve') return;
  process.on('SIGHUP', () => {});
  for (const signal of ['SIGTERM', 'SIGQUIT', 'SIGINT']) {
    // A gateway that starts or serves listens as well, and ends in order.
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit();
    });
  }
}

/** Unless it was asked for: it lets every account of the machine run code in this process. */
function closeInspector() {
  const asked = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((words) => words.includes('--inspect'));
  if (asked || !process.features.inspector) return;
  const inspector = require('node:inspector');
  if (inspector.url() !== undefined) inspector.close();
}
