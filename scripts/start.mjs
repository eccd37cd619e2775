/** `npm start`: installs what is missing, builds, and serves the gateway.toml of this repository. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build, ensureInstalled, ROOT } from './ensure.mjs';

ensureInstalled();
build();

const gw = spawn(process.execPath, [join(ROOT, 'bin', 'gw.js'), 'serve', ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit',
});
// A terminal sends Ctrl-C and Ctrl-\\ to gw too. A supervisor signals only this process.
for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']) {
  process.on(signal, () => {
    const fromTerminal = signal === 'SIGINT' || signal === 'SIGQUIT';
    if (!fromTerminal || !process.stdin.isTTY) gw.kill(signal);
  });
}
// On a signal npm ends its shell, and the shell ends without forwarding the signal.
const parent = process.ppid;
const watch = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(watch);
  gw.kill('SIGTERM');
}, 250);
gw.on('exit', (code, signal) => {
  clearInterval(watch);
  process.exitCode = code ?? (signal ? 1 : 0);
});
