import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { destinationOf, OutputError, writeOutput } from '../src/output-file.js';
import { reasonOf } from '../src/reason.js';
import { GW, runGw } from './support/gw-process.js';
import { onlyWhere } from './support/only-where.js';

const test = suite<{ folder: string }>('output files', { folder: '' });
const onUnix = onlyWhere(process.platform !== 'win32', 'there are no pipes in the file system', test);
const maySpecial = spawnSync('mknod', [join(mkdtempSync(join(tmpdir(), 'gw-mknod-')), 'null'), 'c', '1', '3']);
const asRoot = onlyWhere(maySpecial.status === 0, 'no device can be made here', test);
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'gw-output-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }));

const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:0"
[[route]]
name = "a"
match = "/"
reply = { body = "x" }
`;

function refusal(path: string): string {
  try {
    writeOutput(path, 'new');
  } catch (error) {
    return reasonOf(error, 'write');
  }
  throw new Error(`${path} was written`);
}

test('a new file, and one that is replaced: its mode stays, and nothing is left beside it', ({ folder }) => {
  const path = join(folder, 'file');
  writeOutput(path, 'first');
  assert.is(readFileSync(path, 'utf8'), 'first');
  chmodSync(path, 0o640);
  const before = statSync(path).ino;
  writeOutput(path, Buffer.from('second'));
  assert.is(readFileSync(path, 'utf8'), 'second');
  assert.is(statSync(path).mode & 0o7777, 0o640);
  assert.is.not(statSync(path).ino, before, 'in one step');
  assert.equal(readdirSync(folder), ['file']);
});

onUnix('a link stays a link: what it leads to is written, also where nothing is yet', ({ folder }) => {
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'sub', 'there'), 'old');
  symlinkSync('sub/there', join(folder, 'one'));
  symlinkSync('one', join(folder, 'two'));
  symlinkSync('sub/new', join(folder, 'dangling'));
  symlinkSync('circle', join(folder, 'circle'));
  writeOutput(join(folder, 'two'), 'new');
  writeOutput(join(folder, 'dangling'), 'new');
  assert.is(readFileSync(join(folder, 'sub', 'there'), 'utf8'), 'new');
  assert.is(readFileSync(join(folder, 'sub', 'new'), 'utf8'), 'new');
  for (const link of ['one', 'two', 'dangling']) assert.ok(lstatSync(join(folder, link)).isSymbolicLink(), link);
  assert.match(refusal(join(folder, 'circle')), 'form a loop');
});

onUnix('a folder, a missing folder and a pipe without a reader are refused at once', ({ folder }) => {
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const since = performance.now();
  assert.is(refusal(folder), 'it is a folder');
  assert.is(refusal(join(folder, 'no', 'file')), 'no such folder');
  assert.is(refusal(join(folder, 'pipe')), 'it is a pipe without a reader');
  assert.ok(performance.now() - since < 1000);
  assert.equal(readdirSync(folder), ['pipe']);
  assert.throws(
    () => writeOutput(folder, ''),
    (error: unknown) => error instanceof OutputError,
  );
});

onUnix('a pipe with a reader gets everything, and stays a pipe', async ({ folder }) => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  writeFileSync(join(folder, 'gateway.toml'), SPEC);
  const script = '(cat pipe > got) & exec "$0" "$1" compile gateway.toml -o pipe';
  const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, GW], { cwd: folder, encoding: 'utf8' });
  assert.is(status, 0, stderr);
  assert.ok(lstatSync(pipe).isFIFO());
  assert.is((await runGw(['inspect', join(folder, 'got')])).code, 0);
});

asRoot('gw compile -o to a device writes to it, and it stays a device', async ({ folder }) => {
  writeFileSync(join(folder, 'gateway.toml'), SPEC);
  const device = join(folder, 'null');
  spawnSync('mknod', [device, 'c', '1', '3']);
  symlinkSync('null', join(folder, 'link'));
  for (const name of ['null', 'link']) {
    const { code, err } = await runGw(['compile', '-o', name], { cwd: folder });
    assert.is(code, 0, err);
  }
  assert.ok(statSync(device).isCharacterDevice());
  assert.ok(lstatSync(join(folder, 'link')).isSymbolicLink());
});

onUnix('standard output by its name is standard output: nothing is mixed into the bundle', ({ folder }) => {
  writeFileSync(join(folder, 'gateway.toml'), SPEC);
  const compile = (output: string, to: string): string => `"$0" "$1" compile -o ${output} ${to}`;
  const script = [compile('-', '> a'), compile('/dev/stdout', '> b'), compile('/dev/stdout', '| cat > c')].join(' && ');
  const { status } = spawnSync('sh', ['-c', script, process.execPath, GW], { cwd: folder, encoding: 'utf8' });
  assert.is(status, 0);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => readFileSync(join(folder, name)));
  assert.ok(a!.length > 100 && a!.equals(b!) && a!.equals(c!));
  assert.equal(destinationOf('/dev/fd/7'), { kind: 'descriptor', fd: 7 });
});

onUnix('gw init --force writes through a link, and never over a pipe', async ({ folder }) => {
  mkdirSync(join(folder, 'shared'));
  writeFileSync(join(folder, 'shared', 'spec'), 'old');
  symlinkSync('shared/spec', join(folder, 'gateway.toml'));
  assert.is((await runGw(['init', '--force', folder])).code, 0);
  assert.ok(lstatSync(join(folder, 'gateway.toml')).isSymbolicLink());
  assert.match(readFileSync(join(folder, 'shared', 'spec'), 'utf8'), 'spec = 1');
  rmSync(join(folder, 'gateway.toml'));
  execFileSync('mkfifo', [join(folder, 'gateway.toml')]);
  const { code, err } = await runGw(['init', '--force', folder]);
  assert.is(code, 1);
  assert.match(err, 'gateway.toml is not a regular file');
  assert.ok(lstatSync(join(folder, 'gateway.toml')).isFIFO());
});

onUnix('gw validate --fix keeps the mode and the link of fixed files', async ({ folder }) => {
  writeFileSync(join(folder, 'real.toml'), SPEC.replace('reply =', 'replyy ='));
  chmodSync(join(folder, 'real.toml'), 0o600);
  symlinkSync('real.toml', join(folder, 'gateway.toml'));
  await runGw(['validate', '--fix'], { cwd: folder });
  assert.match(readFileSync(join(folder, 'real.toml'), 'utf8'), 'reply =');
  assert.is(statSync(join(folder, 'real.toml')).mode & 0o777, 0o600);
  assert.ok(lstatSync(join(folder, 'gateway.toml')).isSymbolicLink());
  assert.not.ok(existsSync(join(folder, `.real.toml.${process.pid}.tmp`)));
});

test.run();
