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

test('a folder that others may read is refused, and stays as it is', () => {
  const folder = temporaryFolder();
  for (const mode of [0o755, 0o777, 0o710]) {
    chmodSync(folder, mode);
    assert.throws(() => openRuntimeDirectory(folder), new RegExp(`has mode 0${mode.toString(8)}`));
    assert.is(statSync(folder).mode & 0o777, mode);
  }
  chmodSync(folder, 0o700);
  assert.is(openRuntimeDirectory(folder), folder);
});

test('a folder with files of others is refused, and nothing in it is touched', () => {
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

test('what is no folder is refused', () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  assert.throws(() => openRuntimeDirectory(file), /is not a folder/);
});

const entryOf = (pid: number, socket: string): string =>
  JSON.stringify({ pid, spec: '/x/gateway.toml', socket, startedAt: 1, listeners: ['a:1'] });

/** A socket in the file system that nothing listens on: as a process leaves it that was killed. */
function deadSocket(path: string): void {
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script, path]);
  assert.ok(existsSync(path));
}

test('entries of gateways that are gone go, also where their process number is used again', async () => {
  const folder = temporaryFolder();
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  // Process 1 always lives: in a container it is the next gateway.
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

test('a gateway that answers stays, whatever its process number says; so does one that starts, and what is not gw’s', async () => {
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

test('two gateways of one process have a place each', () => {
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

test('an entry whose folder was replaced by somebody is neither written nor removed there', () => {
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

test('a socket path that no system could bind is said, and leaves nothing', () => {
  const folder = join(temporaryFolder(), 'x'.repeat(100));
  mkdirSync(folder);
  assert.throws(() => new RuntimeEntry(folder), /too long .* GW_RUNTIME_DIR/);
  assert.not.ok(existsSync(join(folder, `${process.pid}.json`)));
});

test('a runtime folder is made with those above it; where none can be made, that is an error', () => {
  const folder = temporaryFolder();
  const deep = join(folder, 'a', 'b');
  for (let round = 0; round < 2; round++) assert.is(runtimeDirectory({ GW_RUNTIME_DIR: deep }), deep);
  assert.is(statSync(deep).mode & 0o777, 0o700);
  writeFileSync(join(folder, 'file'), '');
  assert.throws(() => runtimeDirectory({ GW_RUNTIME_DIR: join(folder, 'file', 'below') }), /ENOTDIR/);
});

const onProc = onlyWhere(existsSync('/proc/self'), 'there is no /proc', test);
// Below /proc nothing can be made, though it is there: a process of its own, since what is tested for is a hang.
onProc('a runtime folder where there can be none is an error and no wait', () => {
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
