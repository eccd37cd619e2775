import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FolderLock, OWNER_STALE_MS } from '../../src/state/folder-lock.js';
import { removeFolders, temporaryFolder } from '../control/kit.js';

test.after(removeFolders);

const fileOf = (folder: string): string => join(folder, 'owner.json');

test('one gateway uses a folder at a time; that of a process that was killed can be used', async () => {
  const folder = temporaryFolder();
  const lock = new FolderLock(folder, 'one');
  assert.is(lock.claim(), undefined);
  assert.is(new FolderLock(folder, 'two').claim(), `process ${process.pid} on ${hostname()}`);
  new FolderLock(folder, 'two').release();
  assert.is(lock.renew(), true);
  lock.release();
  lock.release();
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const gone = JSON.stringify({ pid: child.pid, host: hostname(), started: '1', token: 't' });
  for (const text of [gone, '{', '', 'null']) {
    writeFileSync(fileOf(folder), text);
    const next = new FolderLock(folder, 'next');
    assert.is(next.claim(), undefined, text);
    next.release();
  }
  assert.equal(readdirSync(folder), []);
});

test('a process of this machine that stood still for long keeps its folder', () => {
  if (!existsSync('/proc/self/stat')) return;
  const folder = temporaryFolder();
  assert.is(new FolderLock(folder, 'one').claim(), undefined);
  const before = new Date(Date.now() - OWNER_STALE_MS);
  utimesSync(fileOf(folder), before, before);
  assert.is(new FolderLock(folder, 'two').claim(), `process ${process.pid} on ${hostname()}`);
});

test('of several processes that take a folder left behind at the same time, one gets it', async () => {
  const script = `
    const { FolderLock } = await import(${JSON.stringify(new URL('../../src/state/folder-lock.js', import.meta.url).href)});
    process.stdout.write('ready');
    process.stdin.once('data', () => {
      const by = new FolderLock(${JSON.stringify('FOLDER')}, String(process.pid)).claim();
      process.stdout.write(by === undefined ? ' mine' : ' taken');
    });
    process.stdin.once('end', () => process.exit(0));`;
  for (let round = 0; round < 3; round++) {
    const folder = temporaryFolder();
    writeFileSync(fileOf(folder), JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), started: '1', token: 't' }));
    const children = Array.from({ length: 4 }, () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script.replace('FOLDER', folder)]);
      let said = '';
      child.stdout.on('data', (bytes: Buffer) => {
        said += bytes.toString();
      });
      return { child, said: () => said };
    });
    await Promise.all(children.map(({ child }) => once(child.stdout, 'data')));
    const answered = children.map(({ child, said }) => (said().includes(' ') ? undefined : once(child.stdout, 'data')));
    for (const { child } of children) child.stdin.write('go');
    await Promise.all(answered);
    const mine = children.filter(({ said }) => said().endsWith('mine'));
    for (const { child } of children) child.stdin.end();
    await Promise.all(children.map(({ child }) => once(child, 'exit')));
    assert.is(mine.length, 1, `round ${round}`);
    assert.match(readFileSync(fileOf(folder), 'utf8'), new RegExp(`"token":"${mine[0]?.child.pid}"`));
  }
});

test('a folder that cannot be written is an error', () => {
  const folder = join(temporaryFolder(), 'none');
  assert.throws(() => new FolderLock(folder, 'one').claim(), /ENOENT/);
  mkdirSync(folder);
  const lock = new FolderLock(folder, 'one');
  assert.is(lock.claim(), undefined);
  renameSync(folder, `${folder}-moved`);
  assert.is(lock.renew(), false);
});

test.run();
