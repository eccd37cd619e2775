import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { packageCopy } from '../../../src/cli/init/copy.js';

interface Packed {
  readonly files: readonly { readonly path: string; readonly size: number; readonly mode: number }[];
}

const folder = mkdtempSync(join(tmpdir(), 'gw-copy-'));
const archive = join(folder, 'gw.tar.gz');
const copy = packageCopy(process.cwd());
writeFileSync(archive, copy);

test.after(() => rmSync(folder, { recursive: true }));

test('the copy contains the files of `npm pack` with their sizes', () => {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' }),
  ) as Packed[];
  const listed = execFileSync('tar', ['-tvzf', archive], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/))
    .map((words) => `${words[5]} ${words[2]}`);
  assert.equal(listed.sort(), packed?.files.map(({ path, size }) => `package/${path} ${size}`).sort());
});

test('tar extracts every file unchanged', () => {
  execFileSync('tar', ['-xzf', archive, '-C', folder]);
  for (const path of ['package.json', 'bin/gw.js', 'docs/reference.md', 'templates/shared/gitignore']) {
    assert.is(readFileSync(join(folder, 'package', path), 'utf8'), readFileSync(path, 'utf8'), path);
  }
});

test('the same files give the same archive', () => assert.ok(packageCopy(process.cwd()).equals(copy)));

test.run();
