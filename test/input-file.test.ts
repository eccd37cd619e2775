import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { INPUT_LIMITS, InputError, readFirstBytes, readInputFile, readInputText } from '../src/input-file.js';
import { reasonOf } from '../src/reason.js';
import { onlyWhere } from './support/only-where.js';

const test = suite<{ folder: string }>('input files', { folder: '' });
const onUnix = onlyWhere(process.platform !== 'win32', 'there are no pipes in the file system', test);
const onLinux = onlyWhere(existsSync('/dev/zero') && existsSync('/proc/self/maps'), 'no /dev/zero, no /proc', test);
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'gw-input-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }));

const LIMIT = { maxBytes: 1000 };

/** Why a path is refused, and that it takes no time. */
function refusal(path: string, options: Parameters<typeof readInputFile>[1] = LIMIT): string {
  const since = performance.now();
  try {
    readInputFile(path, options);
  } catch (error) {
    assert.ok(performance.now() - since < 1000, `${path} was waited for`);
    return reasonOf(error);
  }
  throw new Error(`${path} was read`);
}

test('a file is read up to its limit, and not a byte further', ({ folder }) => {
  const path = join(folder, 'file');
  for (const length of [0, 1, 999, 1000]) {
    writeFileSync(path, 'x'.repeat(length));
    assert.is(readInputText(path, LIMIT).length, length);
  }
  writeFileSync(path, 'x'.repeat(1001));
  assert.match(refusal(path), /the maximum is .* MiB, and it has/);
});

test('a file of ten gigabytes is refused by its size', ({ folder }) => {
  const path = join(folder, 'huge');
  writeFileSync(path, '');
  truncateSync(path, 10 * 1024 ** 3);
  for (const maxBytes of Object.values(INPUT_LIMITS)) assert.match(refusal(path, { maxBytes }), 'it has 10.0 GiB');
  assert.is(readFirstBytes(path, 64)?.length, 64);
});

onLinux('an endless device is refused before it is opened; a file that tells no size is read up to the limit', () => {
  for (const device of ['/dev/zero', '/dev/random', '/dev/full', '/dev/null']) {
    assert.is(refusal(device), 'it is a device, not a regular file');
    assert.is(refusal(device, { ...LIMIT, pipes: true }), 'it is a device, not a regular file');
    assert.is(readFirstBytes(device, 64), undefined);
  }
  assert.match(readInputText('/proc/self/status', { maxBytes: 100_000 }), 'Pid:');
  assert.match(refusal('/proc/self/maps', { maxBytes: 10 }), 'it has more than that');
});

onUnix('a pipe, a socket and a folder are refused at once', async ({ folder }) => {
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  assert.is(refusal(join(folder, 'pipe')), 'it is a pipe, not a regular file');
  assert.is(refusal(join(folder, 'pipe'), { ...LIMIT, pipes: true }), 'it is an empty pipe');
  assert.is(readFirstBytes(join(folder, 'pipe'), 64), undefined);
  assert.is(refusal(folder), 'it is a folder');
  assert.is(refusal(join(folder, 'none')), 'no such file');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
  assert.is(refusal(join(folder, 'socket')), 'it is a socket, not a regular file');
  await new Promise((resolve) => server.close(resolve));
});

onUnix('a pipe that is written to is read to its end, up to the limit', () => {
  const module = new URL('../src/input-file.js', import.meta.url).href;
  const script = `import { readInputText } from '${module}';
    try { console.log(readInputText('/dev/stdin', { maxBytes: 1000, pipes: true }).length); }
    catch (error) { console.log(error.message); }`;
  const read = (command: string): string =>
    spawnSync('sh', ['-c', `(${command}) | "$0" --input-type=module -e "$1"`, process.execPath, script], {
      encoding: 'utf8',
    }).stdout.trim();
  assert.is(read('printf abc; sleep 0.1; printf def'), '6');
  assert.is(read('yes'), 'the maximum is 0.0 MiB, and it has more than that');
});

test('what is refused is an InputError, what the system refuses is its own', ({ folder }) => {
  assert.throws(
    () => readInputFile(folder, LIMIT),
    (error: unknown) => error instanceof InputError,
  );
  assert.throws(
    () => readInputFile(join(folder, 'none'), LIMIT),
    (error: unknown) => !(error instanceof InputError),
  );
});

test.run();
