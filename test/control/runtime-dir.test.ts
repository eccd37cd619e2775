import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openRuntimeDirectory, RuntimeEntry, sweep } from '../../src/control/runtime-dir.js';
import { isAlive, runtimeDirectory } from '../../src/telemetry/admin-protocol.js';
import { onlyWhere } from '../support/only-where.js';
import { removeFolders, temporaryFolder } from './kit.js';

test.after(removeFolders);

test('a folder that others may read is closed to them', () => {
  const folder = temporaryFolder();
  chmodSync(folder, 0o755);
  assert.is(openRuntimeDirectory(folder), folder);
  assert.is(statSync(folder).mode & 0o777, 0o700);
});

test('what is no folder is refused', () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  assert.throws(() => openRuntimeDirectory(file), /is not a folder/);
});

test('entries of dead processes go, others stay', () => {
  const folder = temporaryFolder();
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  const live = process.pid;
  const names = [`${dead}.json`, `${dead}.sock`, `${dead}-2.json`, `${live}.json`, `${live}.sock`, 'notes.txt'];
  for (const name of names) writeFileSync(join(folder, name), '');
  sweep(folder);
  assert.equal(
    names.filter((name) => existsSync(join(folder, name))),
    names.slice(3),
  );
  assert.not.ok(isAlive(dead));
  assert.ok(isAlive(live));
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
