/** A failing access log loses lines, which are counted and logged, and affects no exchange. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { removeFolders, temporaryFolder } from '../../control/kit.js';
import { onlyWhere } from '../../support/only-where.js';
import { Plane, type RawClient, specOf, until } from '../engine-kit.js';

const REPLY = 'HTTP/1.1 204 No Content';
const GET = 'GET /constant HTTP/1.1\r\nHost: a.example\r\n\r\n';
const SPEC = specOf('http://127.0.0.1:9', {
  more: '[[route]]\nname = "constant"\nmatch = "/constant"\nreply = { status = 204 }\n',
});

interface Context {
  folder: string;
  path: string;
  planes: Plane[];
}
const test = suite<Context>('access log faults');

const mount = (folder: string): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', folder]).status === 0;
const unmount = (folder: string): boolean => spawnSync('umount', ['-l', folder]).status === 0;

function mayMount(): boolean {
  const folder = temporaryFolder();
  return mount(folder) && unmount(folder);
}
const onFullDisk = onlyWhere(existsSync('/dev/full'), 'there is no /dev/full', test);
const onSmallDisk = onlyWhere(mayMount(), 'mounting a disk is not permitted', test);

test.before.each((context) => {
  context.folder = temporaryFolder();
  context.path = join(context.folder, 'access.log');
  context.planes = [];
});
test.after.each(async ({ planes }) => {
  for (const plane of planes) await plane.close();
});
test.after(removeFolders);

async function start({ planes }: Context, path: string): Promise<Plane> {
  const plane = await Plane.start(SPEC, { accessLog: { path, format: 'json' } });
  planes.push(plane);
  return plane;
}

async function ask(client: RawClient): Promise<void> {
  client.send(GET);
  const { statusLine } = await client.reply();
  assert.is(statusLine, REPLY);
}

/** Sends requests until `seen` returns true; each must get a good reply. */
async function askUntil(plane: Plane, seen: () => boolean): Promise<void> {
  const client = plane.client();
  const deadline = Date.now() + 8000;
  while (!seen()) {
    assert.ok(Date.now() < deadline, 'in time');
    await ask(client);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  client.destroy();
}

const linesIn = (path: string): number => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0);
/** Ids in the complete lines of a file. */
function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { id: string }).id);
}
const logged = ({ logs }: Plane, what: RegExp): Plane['logs'] => logs.filter(({ message }) => what.test(message));
const FAILS = /^cannot write the access log$/;
const AGAIN = /^access log recovered$/;

onFullDisk('a full disk: traffic continues, one warning is logged, and lost lines are counted', async (context) => {
  const plane = await start(context, '/dev/full');
  const client = plane.client();
  for (let turn = 0; turn < 500; turn++) await ask(client);
  await until(() => logged(plane, FAILS).length > 0, 'the warning');
  for (let turn = 0; turn < 500; turn++) await ask(client);
  client.destroy();
  const [warning] = logged(plane, FAILS);
  assert.is(warning!.fields?.['cause'], 'disk full');
  assert.is(warning!.level, 'warn');
  assert.is(warning!.fields?.['path'], '/dev/full');
  assert.is(logged(plane, FAILS).length, 1);
});

onSmallDisk(
  'a disk that is full and has room again: the lines that waited are written, none twice',
  async (context) => {
    const disk = join(context.folder, 'disk');
    mkdirSync(disk);
    assert.ok(mount(disk));
    try {
      const path = join(disk, 'access.log');
      const ballast = join(disk, 'ballast');
      writeFileSync(ballast, Buffer.alloc(60 * 1024));
      const plane = await start(context, path);
      await askUntil(plane, () => logged(plane, FAILS).length > 0);
      rmSync(ballast);
      await askUntil(plane, () => logged(plane, AGAIN).length > 0);
      assert.is(logged(plane, AGAIN)[0]!.fields?.['dropped'], 0);
      const asked = plane.records.length;
      await plane.close();
      context.planes.length = 0;
      const ids = readFileSync(path, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as { id: string }).id);
      assert.ok(ids.length >= asked, `${ids.length} lines for ${asked} requests`);
      assert.is(new Set(ids).size, ids.length);
    } finally {
      for (const plane of context.planes) await plane.close();
      context.planes.length = 0;
      unmount(disk);
    }
  },
);

test('a log file that was moved away (logrotate) is recreated within about a second', async (context) => {
  const { path } = context;
  const plane = await start(context, path);
  await askUntil(plane, () => linesIn(path) > 0);
  renameSync(path, `${path}.1`);
  await askUntil(plane, () => linesIn(path) > 0);
  assert.equal(logged(plane, FAILS), []);
  await plane.close();
  const ids = new Set<string>();
  for (const text of [readFileSync(path, 'utf8'), readFileSync(`${path}.1`, 'utf8')])
    for (const line of text.split('\n').filter(Boolean)) ids.add((JSON.parse(line) as { id: string }).id);
  for (const { id } of plane.records) assert.ok(ids.has(id), 'a line for each request');
});

test('an access log that cannot be opened at load gives a readable error', async (context) => {
  const path = join(context.folder, 'no', 'access.log');
  const message = await start(context, path).then(
    () => undefined,
    (error: Error) => error.message,
  );
  assert.is(message, `the access log \`${path}\` cannot be opened: no such folder`);
});

test('a log folder that is removed and recreated: pending lines are written then', async (context) => {
  const inner = join(context.folder, 'logs');
  const path = join(inner, 'access.log');
  mkdirSync(inner);
  const plane = await start(context, path);
  await askUntil(plane, () => linesIn(path) > 0);
  rmSync(inner, { recursive: true });
  await askUntil(plane, () => logged(plane, FAILS).length > 0);
  assert.is(logged(plane, FAILS)[0]!.fields?.['cause'], 'no such folder');
  mkdirSync(inner);
  await askUntil(plane, () => linesIn(path) > 0 && logged(plane, AGAIN).length > 0);
  assert.is(logged(plane, AGAIN)[0]!.fields?.['dropped'], 0);
});

onSmallDisk('a full disk whose file is removed: pending lines go to the new file', async (context) => {
  const disk = join(context.folder, 'disk');
  mkdirSync(disk);
  assert.ok(mount(disk));
  try {
    const path = join(disk, 'access.log');
    const plane = await start(context, path);
    await askUntil(plane, () => logged(plane, FAILS).length > 0);
    const written = linesOf(path);
    rmSync(path);
    await until(() => existsSync(path) && logged(plane, AGAIN).length > 0, 'the new file');
    const asked = plane.records.length;
    await plane.close();
    context.planes.length = 0;
    const ids = new Set([...written, ...linesOf(path)]);
    assert.ok(ids.size >= asked, `${ids.size} lines for ${asked} requests`);
  } finally {
    for (const plane of context.planes) await plane.close();
    context.planes.length = 0;
    unmount(disk);
  }
});

test.run();
