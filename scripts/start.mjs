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
// A terminal sends ctrl-c and ctrl-\\ to gw as well; a supervisor signals only this process.
for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']) {
  process.on(signal, () => {
    const fromTerminal = signal === 'SIGINT' || signal === 'SIGQUIT';
    if (!fromTerminal || !process.stdin.isTTY) gw.kill(signal);
  });
}
// npm ends its shell on a signal, and the shell ends without passing it on.
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
