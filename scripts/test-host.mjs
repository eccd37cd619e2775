/**
 * A process that runs the test files of its arguments, one after the other, and prints a mark between two of them. A file begins when
 * the one before it has nothing open any more, just as a process of its own would have to end.
 *
 *     node test-host.mjs MARK FOLDER FILE...
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const [mark, folder, ...files] = process.argv.slice(2);

// With it a suite waits for `exec`, instead of starting by itself.
globalThis.UVU_DEFER = 1;
const { exec } = await import('uvu');

async function run(file) {
  globalThis.UVU_QUEUE = [[null]];
  // While a module compiles WebAssembly, nothing else may be open; that must not end the process.
  const open = setInterval(() => {}, 60_000);
  await import(pathToFileURL(join(folder, file)).href).finally(() => clearInterval(open));
  if (globalThis.UVU_QUEUE[0].length === 1) throw new Error('no suite runs: `test.run()` is missing');
  await exec();
}

let begun = false;
let running = false;

// Emitted each time that nothing is left to do.
process.on('beforeExit', async () => {
  // A test waits for what will never happen: this process ends here, and the runner starts another one for the rest.
  if (running) return;
  const file = files.shift();
  if (file === undefined) return;
  if (begun) {
    process.stdout.write(mark);
    // Shared memory does not make V8 collect sooner: that of many files piles up, until the system refuses to start processes.
    collect();
  }
  begun = true;
  running = true;
  await run(file);
  running = false;
});
