import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadAll, loadEach } from '../src/load-in-steps.js';

test('the parts of a graph are loaded; a folder without the file is left out', async () => {
  await loadEach(['policies', 'actions'], 'run.js');
  await loadAll('lint/rules');
  await loadEach(['policies'], 'no-such-file.js');
});

test('a missing folder is an error', async () => {
  let code = '';
  await loadEach(['no-such-folder'], 'run.js').catch((error: NodeJS.ErrnoException) => {
    code = error.code ?? '';
  });
  assert.is(code, 'ENOENT');
});

test('gw validate works with the 256 descriptors of a shell of macOS', () => {
  const { stderr } = spawnSync('sh', ['-c', 'ulimit -n 256 && node bin/gw.js validate gateway.toml'], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.not.match(stderr, /EMFILE|open as many files/);
});

test.run();
