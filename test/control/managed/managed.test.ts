import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Traffic } from '../../../src/control/managed/drain.js';
import type { ManagedSupply } from '../../../src/control/managed/instances.js';
import { LineSplitter, MAX_LINE } from '../../../src/control/managed/lines.js';
import { OrphanGuard } from '../../../src/control/managed/orphan-guard.js';
import { freePort } from '../../../src/control/managed/ports.js';
import { ManagedError, ManagedProcess, type RunSettings } from '../../../src/control/managed/process.js';
import { ManagedSet } from '../../../src/control/managed/set.js';
import { splitWords } from '../../../src/schema/words.js';
import { isGone, KeptLog, removeFolders, temporaryFolder, until } from '../kit.js';

test.after(removeFolders);

const folder = temporaryFolder();
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

/** Replies with its pid; `/crash` exits with code 3; starts a child process and writes the child's pid. */
const SERVER = `
const { spawn } = require('node:child_process');
const { createServer } = require('node:http');
const { writeFileSync } = require('node:fs');
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
if (process.env.CHILD_FILE) writeFileSync(process.env.CHILD_FILE, String(child.pid));
if (process.env.STUBBORN) process.on('SIGTERM', () => console.log('not now'));
createServer((request, response) => {
  if (request.url === '/crash') process.exit(3);
  response.end(process.env.GREETING + ' ' + process.pid);
}).listen(Number(process.env.PORT), () => console.log('listening\\nwith two lines'));
`;

const bounds = (min: number, max: number): RunSettings['instances'] => ({
  min,
  max,
  perInstance: 2,
  downAfter: 1000,
  idle: 1000,
});

const settings = (over: Partial<RunSettings> = {}): RunSettings => ({
  command: `${process.execPath} ${file('server.cjs', SERVER)}`,
  portEnv: 'PORT',
  cwd: folder,
  env: { GREETING: 'hello' },
  readyTimeout: 10_000,
  instances: bounds(1, 1),
  drainTimeout: 10_000,
  ...over,
});

const host = (log: KeptLog, orphanGuard = new OrphanGuard()) => ({
  log,
  orphanGuard,
  ports: new Set<number>(),
  changed: () => {},
});

/** The requests in flight, by URL. Workers apply at once what they are told. */
class FakeTraffic implements Traffic {
  readonly flights = new Map<string, number>();
  targets: readonly string[] = [];
  isTarget = (_service: string, url: string): boolean => this.targets.includes(url);
  applied = async (): Promise<void> => {};
  inFlight = (_service: string, url: string): number => this.flights.get(url) ?? 0;
  ended = (): number => 0;
  waiting = (): number => this.waiters;
  waiters = 0;
}

function setOf() {
  const traffic = new FakeTraffic();
  const supply = (_service: string, { targets }: ManagedSupply): void => {
    traffic.targets = targets.map(({ url }) => url);
  };
  const log = new KeptLog();
  return { log, traffic, set: new ManagedSet({ log, traffic, board: { supply } }) };
}

test('a command is split into words like in a shell', () => {
  assert.equal(splitWords('node app.js'), ['node', 'app.js']);
  assert.equal(splitWords(`  a "b c" 'd "e' f\\ g --x="1 2"3 '' `), ['a', 'b c', 'd "e', 'f g', '--x=1 23', '']);
  assert.equal(splitWords('echo "a\\"b\\n" $HOME *'), ['echo', 'a"b\\n', '$HOME', '*']);
  assert.throws(() => splitWords('node "app.js'), /unclosed double quote/);
  assert.throws(() => splitWords("node 'app.js"), /unclosed single quote/);
  assert.throws(() => splitWords('node \\'), /backslash/);
  assert.throws(() => splitWords('   '), /empty/);
  assert.throws(() => splitWords("'' x"), /empty/);
});

test('lines are bounded and keep characters split across chunks', () => {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  const euro = Buffer.from('a €\r\nb');
  splitter.push(euro.subarray(0, 3));
  splitter.push(euro.subarray(3));
  splitter.push(Buffer.from('x'.repeat(MAX_LINE * 3)));
  splitter.push(Buffer.from('\n\nend'));
  splitter.end();
  assert.is(lines.length, 3);
  assert.is(lines[0], 'a €');
  assert.is(lines[1]?.length, MAX_LINE + 1);
  assert.is(lines[2], 'end');
});

test('a managed process starts with its environment and stops with its process group', async () => {
  const log = new KeptLog();
  const childFile = join(folder, 'child-1');
  const managed = new ManagedProcess(
    'products',
    settings({ env: { GREETING: 'hi', CHILD_FILE: childFile } }),
    host(log),
  );
  assert.is(managed.state, 'stopped');
  await managed.start();
  assert.is(managed.state, 'ready');
  const pid = managed.pid ?? 0;
  assert.is(await (await fetch(managed.url)).text(), `hi ${pid}`);
  await until(() => log.find(/^\[products\] with two lines$/), 'its output in the log');
  const child = Number(readFileSync(childFile, 'utf8'));
  assert.not.ok(isGone(child));
  await managed.stop();
  assert.is(managed.state, 'stopped');
  assert.is(managed.pid, null);
  assert.ok(isGone(pid));
  await until(() => isGone(child), 'its child to be gone');
  await managed.stop();
});

test('a process that ignores SIGTERM is killed after the grace period', async () => {
  const log = new KeptLog();
  const managed = new ManagedProcess('stubborn', settings({ env: { GREETING: 'hi', STUBBORN: '1' } }), host(log));
  await managed.start();
  const pid = managed.pid ?? 0;
  await managed.stop(200);
  assert.ok(log.find(/not now/));
  assert.ok(isGone(pid));
});

test('a crashed process restarts on the same port, and its orphans are killed', async () => {
  const log = new KeptLog();
  const childFile = join(folder, 'child-2');
  const managed = new ManagedProcess('shop', settings({ env: { GREETING: 'hi', CHILD_FILE: childFile } }), host(log));
  await managed.start();
  const { url, pid } = managed;
  const child = Number(readFileSync(childFile, 'utf8'));
  await fetch(`${url}/crash`).catch(() => {});
  await until(() => managed.pid !== pid, 'backoff or later');
  await until(() => managed.state === 'ready' && managed.restarts === 1, 'a restart');
  assert.is(managed.url, url);
  assert.is.not(managed.pid, pid);
  assert.is(log.find(/process ended; restart in 100 ms/)?.fields['cause'], 'exit code 3');
  await until(() => isGone(child), 'the orphan to be gone');
  await managed.stop();
});

test('a process moves to a new port if its port is taken during the backoff, and the log says so', async () => {
  const log = new KeptLog();
  const seen: string[] = [];
  const managed: ManagedProcess = new ManagedProcess('mover', settings(), {
    ...host(log),
    changed: () => seen.push(managed.state),
  });
  await managed.start();
  const { url } = managed;
  const squatter = createServer();
  await fetch(`${url}/crash`).catch(() => {});
  await until(async () => {
    if (squatter.listening) return true;
    return new Promise<boolean>((resolve) => {
      squatter.once('error', () => resolve(false));
      squatter.listen(Number(new URL(url).port), '127.0.0.1', () => resolve(true));
    });
  }, 'the port to be taken');
  await until(() => managed.state === 'ready' && managed.restarts > 0, 'a restart');
  assert.is.not(managed.url, url);
  assert.equal([...new Set(seen)], ['starting', 'ready', 'backoff']);
  await managed.stop();
  squatter.close();
});

test('a process that exits before its port answers fails at once, with its last output', async () => {
  const script = file('broken.cjs', 'console.error("no database"); process.exit(7)');
  const managed = new ManagedProcess(
    'broken',
    settings({ command: `${process.execPath} ${script}` }),
    host(new KeptLog()),
  );
  const before = Date.now();
  try {
    await managed.start();
    assert.unreachable();
  } catch (error) {
    assert.instance(error, ManagedError);
    assert.match((error as ManagedError).message, /exit code 7/);
    assert.equal((error as ManagedError).output, ['no database']);
  }
  assert.ok(Date.now() - before < 5000);
  assert.is(managed.state, 'stopped');
});

test('a process that never answers is terminated at its ready timeout', async () => {
  const script = file('silent.cjs', 'console.log(process.pid); setInterval(() => {}, 1000)');
  const managed = new ManagedProcess(
    'silent',
    settings({ command: `${process.execPath} ${script}`, readyTimeout: 700 }),
    host(new KeptLog()),
  );
  try {
    await managed.start();
    assert.unreachable();
  } catch (error) {
    assert.match((error as ManagedError).message, /did not answer on port \d+ \(given as PORT\) within 700 ms/);
    assert.ok(isGone(Number((error as ManagedError).output[0])));
  }
});

test('a missing program is an error, not a crash', async () => {
  const managed = new ManagedProcess('none', settings({ command: '/no/such/program' }), host(new KeptLog()));
  try {
    await managed.start();
    assert.unreachable();
  } catch (error) {
    assert.match((error as ManagedError).message, /cannot be started/);
  }
});

test('a set keeps unchanged processes, starts new ones and returns removed ones', async () => {
  const set = setOf().set;
  const first = await set.prepare(
    new Map([
      ['a', settings()],
      ['b', settings({ env: { GREETING: 'b' } })],
    ]),
  );
  assert.equal(first.commit(), []);
  const pid = set.of('a')[0]?.pid;
  const old = set.of('b')[0];
  const second = await set.prepare(
    new Map([
      ['a', settings({ readyTimeout: 9000 })],
      ['b', settings({ env: { GREETING: 'other' } })],
    ]),
  );
  assert.equal(set.of('b'), [old], 'until the generation is live');
  const [gone] = second.commit();
  assert.is(set.of('a')[0]?.pid, pid);
  assert.ok((await (await fetch(set.of('b')[0]?.url ?? '')).text()).startsWith('other '));
  assert.equal(gone?.facts, [old]);
  await set.retire(gone!);
  assert.ok(isGone(old?.pid ?? 0));
  const pids = [set.of('a')[0]?.pid ?? 0, set.of('b')[0]?.pid ?? 0];
  await set.close();
  assert.ok(pids.every(isGone));
});

test('a service with fewer instances first loses its target, then its requests end, then its process', async () => {
  const { set, traffic } = setOf();
  const with3 = new Map([['a', settings({ instances: bounds(3, 3) })]]);
  (await set.prepare(with3)).commit();
  const all = set.of('a');
  assert.is(new Set(all.map(({ url }) => url)).size, 3);
  assert.equal(
    traffic.targets,
    all.map(({ url }) => url),
  );
  const [busy, least, most] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
  for (const [one, requests] of [[busy, 2] as const, [least, 1] as const, [most, 3] as const])
    traffic.flights.set(one.url, requests);
  (await set.prepare(new Map([['a', settings()]]))).commit();
  assert.equal(traffic.targets, [most.url], 'those with the fewest requests go');
  const states = (): string[] => set.of('a').map(({ state }) => state);
  assert.equal(states(), ['ready', 'draining', 'draining']);
  traffic.flights.set(busy.url, 0);
  await until(() => isGone(busy.pid ?? 0), 'the one without requests to end');
  assert.not.ok(isGone(least.pid ?? 0));
  (await set.prepare(new Map([['a', settings({ instances: bounds(2, 2) })]]))).commit();
  assert.equal(traffic.targets, [most.url, least.url], 'one that drains serves again');
  assert.equal(states(), ['ready', 'ready']);
  await set.close();
  assert.ok(all.every(({ pid }) => isGone(pid ?? 0)));
});

test('what never starts is started less and less often, however many requests wait', async () => {
  const { log, set, traffic } = setOf();
  const command = `${process.execPath} ${file('never.cjs', 'process.exit(3)')}`;
  (await set.prepare(new Map([['a', settings({ command, instances: bounds(0, 3) })]]))).commit();
  traffic.waiters = 50;
  set.demand('a');
  await until(() => log.find(/start failed; next attempt in 800 ms/), 'a long wait');
  assert.ok(set.of('a').length <= 1, 'only one is tried');
  await set.close();
});

test('if one of several processes fails to start, the others are stopped', async () => {
  const set = setOf().set;
  const pidFile = join(folder, 'child-3');
  try {
    await set.prepare(
      new Map([
        ['good', settings({ env: { GREETING: '', CHILD_FILE: pidFile } })],
        ['bad', settings({ command: '/no/such/program' })],
      ]),
    );
    assert.unreachable();
  } catch (error) {
    assert.is((error as ManagedError).service, 'bad');
  }
  assert.equal(set.of('good'), []);
  await until(() => isGone(Number(readFileSync(pidFile, 'utf8'))), 'the good one to be gone');
  await set.close();
});

test('the orphan guard kills process groups after the gateway gets SIGKILL', async () => {
  const pidFile = join(folder, 'orphan-guard-pids');
  const modules = new URL('../../../src/control/managed/', import.meta.url).href;
  const script = file(
    'killed.mjs',
    `
    import { writeFileSync } from 'node:fs';
    import { ManagedSet } from '${modules}set.js';
    const log = { info() {}, warn() {}, error() {}, debug() {}, write() {} };
    const traffic = { isTarget: () => false, applied: async () => {}, inFlight: () => 0, ended: () => 0, waiting: () => 0 };
    const set = new ManagedSet({ log, traffic, board: { supply() {} } });
    const preparation = await set.prepare(new Map([['a', ${JSON.stringify(settings())}]]));
    preparation.commit();
    writeFileSync(${JSON.stringify(pidFile)}, String(set.of('a')[0].pid));
    process.kill(process.pid, 'SIGKILL');
  `,
  );
  const gateway = spawn(process.execPath, [script], { stdio: 'inherit' });
  await new Promise((resolve) => gateway.once('exit', resolve));
  const pid = Number(readFileSync(pidFile, 'utf8'));
  await until(() => isGone(pid), 'the managed process to be gone');
});

test('free ports are free, and a used port is detected', async () => {
  const port = (await freePort(new Set())) ?? 0;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  assert.is(await freePort(new Set(), port), undefined);
  server.close();
});

test('a command with an unclosed quote is an error that names its service', () => {
  try {
    new ManagedProcess('shop', settings({ command: "node 'app.js" }), host(new KeptLog()));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, ManagedError);
    assert.is((error as ManagedError).service, 'shop');
    assert.match((error as ManagedError).message, /unclosed single quote/);
  }
});

test.run();
