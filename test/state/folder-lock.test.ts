import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FolderLock } from '../../src/state/folder-lock.js';
import { removeFolders, temporaryFolder } from '../control/kit.js';

test.after(removeFolders);

test('one gateway uses a folder at a time; that of a process that was killed can be used', () => {
  const folder = temporaryFolder();
  const lock = new FolderLock(folder);
  lock.take();
  assert.throws(() => new FolderLock(folder).take(), new RegExp(`process ${process.pid} uses it`));
  lock.release();
  lock.release();
  for (const text of ['{"pid":4194305,"began":"1"}', `{"pid":${process.pid},"began":"1"}`, '{', 'null']) {
    writeFileSync(join(folder, 'in-use'), text);
    const next = new FolderLock(folder);
    next.take();
    next.release();
  }
});

test.run();
