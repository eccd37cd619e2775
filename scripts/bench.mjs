/** `npm run bench -- NAME [SCENARIO...]`: installs what gw is compared with, builds, runs one benchmark. */
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build, ensureInstalled, must, ROOT } from './ensure.mjs';

ensureInstalled();
const folder = join(ROOT, 'bench');
const installed = join(folder, 'node_modules', '.package-lock.json');
const lock = join(folder, 'package-lock.json');
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  console.error('Installing what gw is compared with (npm ci in bench) ...');
  must('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, shell: process.platform === 'win32' });
}
build();

// What the benchmark has started is stopped by the benchmark: a signal must reach it, and we wait until it is done.
const child = spawn(process.execPath, [join(ROOT, 'dist', 'bench', 'run.js'), ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
