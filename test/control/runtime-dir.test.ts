import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openRuntimeDirectory, RuntimeEntry, sweep } from '../../src/control/runtime-dir.js';
import { isAlive, runtimeDirectory } from '../../src/telemetry/admin-protocol.js';
import { onlyWhere } from '../support/only-where.js';
import { removeFolders, temporaryFolder } from './kit.js';

test.after(removeFolders);

test('a folder readable by others is refused and not changed', () => {
  const folder = temporaryFolder();
  for (const mode of [0o755, 0o777, 0o710]) {
    chmodSync(folder, mode);
    assert.throws(() => openRuntimeDirectory(folder), new RegExp(`has mode 0${mode.toString(8)}`));
    assert.is(statSync(folder).mode & 0o777, mode);
  }
  chmodSync(folder, 0o700);
  assert.is(openRuntimeDirectory(folder), folder);
});

test('a folder with files of other users is refused and not changed', () => {
  for (const [name, content] of [
    ['notes.txt', 'x'],
    ['4242.json', '{"name":"not a gateway"}'],
    ['4242.json', 'not JSON'],
    ['4242.sock', 'not a socket'],
    ['app.sock', ''],
  ] as const) {
    const folder = temporaryFolder();
    writeFileSync(join(folder, name), content);
    assert.throws(() => openRuntimeDirectory(folder), new RegExp(`holds .${name}.`));
    assert.is(readFileSync(join(folder, name), 'utf8'), content);
  }
});

test('a symbolic link is refused', () => {
  const folder = temporaryFolder();
  symlinkSync(temporaryFolder(), join(folder, 'link'));
  assert.throws(() => openRuntimeDirectory(join(folder, 'link')), /is a symbolic link/);
});

test('a file in place of the folder is refused', () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  assert.throws(() => openRuntimeDirectory(file), /is not a folder/);
});

const entryOf = (pid: number, socket: string): string =>
  JSON.stringify({ pid, spec: '/x/gateway.toml', socket, startedAt: 1, listeners: ['a:1'] });

/** A socket file without a listener, as a killed process leaves it. */
function deadSocket(path: string): void {
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script, path]);
  assert.ok(existsSync(path));
}

test('stale entries are removed, even if their process id is reused', async () => {
  const folder = temporaryFolder();
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  // Process 1 is always alive: in a container it is the next gateway.
  for (const stem of [`${dead}`, `${dead}-2`, '1', `${process.pid}`]) {
    const socket = join(folder, `${stem}.sock`);
    writeFileSync(join(folder, `${stem}.json`), entryOf(Number.parseInt(stem, 10), socket));
    deadSocket(socket);
  }
  writeFileSync(join(folder, `${dead}-3.json`), '');
  assert.is(openRuntimeDirectory(folder), folder);
  await sweep(folder);
  assert.equal(readdirSync(folder), []);
  assert.not.ok(isAlive(dead));
});

test('entries of answering and starting gateways are kept, whatever their process id, and so are foreign files', async () => {
  const folder = temporaryFolder();
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  const socket = join(folder, `${dead}.sock`);
  writeFileSync(join(folder, `${dead}.json`), entryOf(dead, socket));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  writeFileSync(join(folder, `${process.pid}.json`), '');
  writeFileSync(join(folder, '4242.json'), '{}');
  const before = readdirSync(folder);
  await sweep(folder);
  assert.equal(readdirSync(folder), before);
  await new Promise((resolve) => server.close(resolve));
});

test('two gateways in one process have separate entries', () => {
  const folder = temporaryFolder();
  const first = new RuntimeEntry(folder);
  const second = new RuntimeEntry(folder);
  assert.is(first.socket, join(folder, `${process.pid}.sock`));
  assert.is(second.socket, join(folder, `${process.pid}-2.sock`));
  const entry = { pid: process.pid, spec: '/x/gateway.toml', socket: first.socket, startedAt: 1, listeners: ['a:1'] };
  first.write(entry);
  const file = join(folder, `${process.pid}.json`);
  assert.equal(JSON.parse(readFileSync(file, 'utf8')), entry);
  assert.is(statSync(file).mode & 0o777, 0o600);
  first.remove();
  second.remove();
  assert.not.ok(existsSync(file));
});

test('an entry is neither written nor removed in a replaced folder', () => {
  const folder = join(temporaryFolder(), 'gw');
  mkdirSync(folder, { mode: 0o700 });
  const entry = new RuntimeEntry(folder);
  const facts = { pid: process.pid, spec: '/a', socket: entry.socket, startedAt: 1, listeners: [] };
  entry.write(facts);
  renameSync(folder, `${folder}.old`);
  assert.throws(() => entry.write(facts), /was removed or replaced/);
  mkdirSync(folder, { mode: 0o700 });
  const victim = join(folder, '..', 'victim');
  writeFileSync(victim, 'mine');
  symlinkSync(victim, join(folder, `${process.pid}.json`));
  assert.throws(() => entry.write(facts), /was removed or replaced/);
  entry.remove();
  assert.is(readFileSync(victim, 'utf8'), 'mine');
  assert.equal(readdirSync(folder), [`${process.pid}.json`]);
});

test('a socket path that is too long is an error and leaves no files', () => {
  const folder = join(temporaryFolder(), 'x'.repeat(100));
  mkdirSync(folder);
  assert.throws(() => new RuntimeEntry(folder), /too long .* GW_RUNTIME_DIR/);
  assert.not.ok(existsSync(join(folder, `${process.pid}.json`)));
});

test('a runtime folder is created with its parents; a failure is an error', () => {
  const folder = temporaryFolder();
  const deep = join(folder, 'a', 'b');
  for (let round = 0; round < 2; round++) assert.is(runtimeDirectory({ GW_RUNTIME_DIR: deep }), deep);
  assert.is(statSync(deep).mode & 0o777, 0o700);
  writeFileSync(join(folder, 'file'), '');
  assert.throws(() => runtimeDirectory({ GW_RUNTIME_DIR: join(folder, 'file', 'below') }), /ENOTDIR/);
});

const onProc = onlyWhere(existsSync('/proc/self'), 'there is no /proc', test);
// /proc exists, but nothing can be created in it. A separate process, because the fault would be a hang.
onProc('a runtime folder that cannot be created is an error, not a hang', () => {
  const module = new URL('../../src/telemetry/admin-protocol.js', import.meta.url).href;
  const code = `import { runtimeDirectory } from '${module}'; runtimeDirectory();`;
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    env: { GW_RUNTIME_DIR: '/proc/no/such' },
    encoding: 'utf8',
    timeout: 10_000,
    killSignal: 'SIGKILL',
  });
  assert.is(signal, null);
  assert.match(stderr, /ENOENT/);
});

test.run();
