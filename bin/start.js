'use strict';

const { existsSync } = require('node:fs');
const { join } = require('node:path');

const main = join(__dirname, '..', 'dist', 'src', 'cli', 'main.js');
const words = process.argv.slice(2);

if (words.length === 1 && ['-v', '-V', '--version'].includes(words[0])) {
  // The version takes no longer than Node itself: nothing of gw is loaded for it.
  process.stdout.on('error', ({ code }) => {
    if (code !== 'EPIPE') process.exitCode = 1;
  });
  process.stdout.write(`${require('../package.json').version}\n`);
} else if (existsSync(main)) {
  handleSignals(words.find((word) => !word.startsWith('-')));
  const { pathToFileURL } = require('node:url');
  import(pathToFileURL(main).href).then(({ main }) => main(words));
} else {
  process.stderr.write(`gw is not built (${main} is missing). Run \`npm run build\` in its folder.\n`);
  process.exitCode = 1;
}

/**
 * Handles signals from the first moment on, while gw is being loaded. Without a listener SIGUSR1 starts Node's inspector,
 * SIGHUP and SIGUSR2 end the process, and a process with number 1, as in a container, ignores SIGTERM.
 */
function handleSignals(command) {
  process.on('SIGUSR1', () => {});
  // A signal before this line may have started it, or is about to.
  closeInspector();
  setImmediate(closeInspector);
  if (command !== 'serve' && command !== 'dash') return;
  process.on('SIGUSR2', () => {});
  if (command !== 'serve') return;
  process.on('SIGHUP', () => {});
  for (const signal of ['SIGTERM', 'SIGQUIT', 'SIGINT']) {
    // A gateway that starts or serves has a listener too, and ends in order.
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
