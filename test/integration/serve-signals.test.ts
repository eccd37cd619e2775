/** Signals of `gw serve`: the effect of each, and that none leaves a process behind at any moment. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createGateway } from '../../src/index.js';
import { GW, ServedGateway } from '../support/gw-process.js';
import { onlyWhere } from '../support/only-where.js';
import { call, isGone, removeFolders, temporaryFolder, until } from './control-kit.js';

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

onUnix('SIGUSR1 reopens the access log and starts no inspector; SIGUSR2 is ignored; SIGQUIT drains', async () => {
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
  assert.is(await served.ended(), 0);
  assert.match(served.log, /SIGQUIT: not ready, [\s\S]*stopped after/);
});

onLinux('SIGHUP, SIGUSR1 and SIGUSR2 do not end a starting gateway', async () => {
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
  // Node takes some tens of milliseconds before gw runs; signals cannot be handled in that time.
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

test('an inspector started by SIGUSR1 before the first line of gw is closed', async () => {
  const path = specFile();
  const preload = join(path, '..', 'early.cjs');
  writeFileSync(
    preload,
    `if (require('node:worker_threads').isMainThread) require('node:inspector').open(0, '127.0.0.1');`,
  );
  const served = await ServedGateway.start([path], { env: { NODE_OPTIONS: `--require ${preload}` } });
  try {
    const inspector = await until(
      () => /Debugger listening on ws:(\/\/[\d.:]+)\//.exec(served.log)?.[1],
      'the inspector',
    );
    const refused = await call(`http:${inspector}/json`).then(
      () => false,
      () => true,
    );
    assert.ok(refused, served.log);
  } finally {
    await served.stop();
  }
});

test('a gateway stopped between opening its port and its admin socket leaves nothing open', async () => {
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

/** Blocks a thread forever, like a name lookup without a reply: reads from a pipe without a writer. */
const HOLD = `const { openSync, read, readSync, writeFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');
const { HOLD, PIPE } = process.env;
const hold = (how) => {
  how(openSync(PIPE, 'r+'), Buffer.alloc(1), 0, 1, null, () => {});
};
if (isMainThread === (HOLD === 'main')) {
  writeFileSync(PIPE + '.held', '');
  hold(HOLD === 'start' ? readSync : read);
}
`;

/** Serves with a blocked thread and sends SIGTERM. `start`: a worker is blocked before its first load. */
async function endsThough(held: 'worker' | 'main' | 'start'): Promise<void> {
  const path = specFile();
  const [preload, pipe] = [join(path, '..', 'hold.cjs'), join(path, '..', 'pipe')];
  writeFileSync(preload, HOLD);
  execFileSync('mkfifo', [pipe]);
  const own = { GW_RUNTIME_DIR: temporaryFolder(), NODE_OPTIONS: `--require ${preload}`, HOLD: held, PIPE: pipe };
  const child = spawn(process.execPath, [GW, 'serve', '--log', 'json', path], {
    env: { ...process.env, ...own },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const over = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
  const isHeld = (): boolean => existsSync(`${pipe}.held`) && (held === 'start' || / serving /.test(output));
  try {
    await until(isHeld, 'the moment', 60_000);
    child.kill('SIGTERM');
    await until(() => isGone(child.pid ?? 0), `the process to end, ${held}; it said ${output}`, 30_000);
    assert.is(await over, 'SIGKILL');
    assert.match(output, /killing the process/);
  } finally {
    child.kill('SIGKILL');
  }
}

onUnix(
  'a thread held by the system, of a worker, of control, or as it starts, keeps no process from its end',
  async () => {
    await Promise.all([endsThough('worker'), endsThough('main'), endsThough('start')]);
  },
);

test.run();
