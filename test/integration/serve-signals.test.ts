/** Signals of `gw serve` as people run it: what each does, and that none at any moment leaves a process behind. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createGateway } from '../../src/index.js';
import { GW, ServedGateway } from '../support/gw-process.js';
import { onlyWhere } from '../support/only-where.js';
import { call, removeFolders, temporaryFolder, until } from './control-kit.js';

const test = suite('signals');
const onUnix = onlyWhere(process.platform !== 'win32', 'there are no such signals', test);
const onLinux = onlyWhere(existsSync('/proc/self/status'), 'there is no /proc', test);
test.after(removeFolders);

const SPEC = `spec = 1
drain_delay = "50ms"
[listener.main]
address = "127.0.0.1:0"
[[route]]
name = "a"
match = "/"
reply = { body = "x" }
`;

function specFile(): string {
  const path = join(temporaryFolder(), 'gateway.toml');
  writeFileSync(path, SPEC);
  return path;
}

/** Whether a process has a handler for a signal, by its number. */
function catches(pid: number, signal: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

onUnix('SIGUSR1 opens the access log anew and starts no inspector; SIGUSR2 is ignored; SIGQUIT drains', async () => {
  const path = specFile();
  const log = join(path, '..', 'access.log');
  const served = await ServedGateway.start([path, '--access-log', log]);
  assert.is((await call(served.url)).status, 200);
  await until(() => existsSync(log), 'the log');
  renameSync(log, `${log}.1`);
  served.signal('SIGUSR1');
  await until(() => existsSync(log), 'the log, without a request');
  served.signal('SIGUSR2');
  renameSync(log, `${log}.2`);
  served.signal('SIGHUP');
  await until(() => existsSync(log), 'the log after SIGHUP');
  assert.is((await call(served.url)).status, 200);
  assert.not.match(served.log, /[Dd]ebugger listening/);
  served.signal('SIGQUIT');
  await until(() => /SIGQUIT: not ready any more[\s\S]*stopped after/.test(served.log), 'the drain');
  assert.is(await served.stop(), 0);
});

onLinux('signals that ask for something do not end a gateway that starts', async () => {
  const child = spawn(process.execPath, [GW, 'serve', '--log', 'json', specFile()], {
    env: { ...process.env, GW_RUNTIME_DIR: temporaryFolder() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const over = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  // Node itself takes some tens of milliseconds before gw runs, in which nothing can be heeded yet.
  await until(() => catches(child.pid ?? 0, 12), 'the first lines of gw');
  for (let round = 0; output === '' && round < 100; round++) {
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) child.kill(signal);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await until(() => / serving /.test(output), 'the gateway');
  assert.not.match(output, /[Dd]ebugger listening/);
  child.kill('SIGTERM');
  assert.is(await over, 0);
});

test('a gateway that is ended between its open port and its admin socket leaves nothing open', async () => {
  for (let turns = 0; turns < 12; turns++) {
    const runtimeDir = temporaryFolder();
    const abort = new AbortController();
    const path = specFile();
    const started = createGateway({
      spec: path,
      inline: true,
      runtimeDir,
      signal: abort.signal,
      log: {
        debug: () => {},
        info: () => {},
        warn: () => {},
        error: () => {},
        write: () => {},
      },
    }).then(
      (gateway) => gateway.close(),
      () => {},
    );
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
    await started;
    const open = (): string[] => process.getActiveResourcesInfo().filter((name) => /^(Pipe|TCP)ServerWrap$/.test(name));
    await until(() => open().length === 0, 'every server to be closed');
  }
});

test.run();
