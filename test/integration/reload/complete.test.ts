/** A reload uses the last saved content of the spec, and never a partial one. */
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  call,
  closeAll,
  type Running,
  removeFolders,
  SpecFile,
  startGateway,
  temporaryFolder,
  until,
} from '../control-kit.js';

test.after.each(async () => {
  delete process.env['CHOKIDAR_USEPOLLING'];
  delete process.env['CHOKIDAR_INTERVAL'];
  await closeAll();
});
test.after(removeFolders);

const HEAD = 'spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n';
const route = (name: string, body: string): string =>
  `[[route]]\nname = "${name}"\nmatch = "GET /${name}"\nreply = { body = "${body}" }\n`;
const spec = (body: string): string => `${HEAD}${route('a', body)}`;

const start = (path: string): Promise<Running> => startGateway({ spec: path, watch: true, inline: true });

async function goesLive({ url }: Running, body: string): Promise<void> {
  await until(async () => (await call(`${url}/a`)).body === body, body);
}

/** Disables file system events, so that only polling remains. */
function withoutEvents(): void {
  process.env['CHOKIDAR_USEPOLLING'] = '1';
  process.env['CHOKIDAR_INTERVAL'] = '10000000';
}

test('an edit saved while a build runs goes live', async () => {
  const file = new SpecFile(spec('0'));
  const running = await start(file.path);
  for (let edit = 1; edit <= 6; edit++) {
    // The explicit reload builds at once; the following save happens during the build or just after it.
    writeFileSync(file.path, spec(`${edit}-first`));
    const reloading = running.gateway.reload();
    writeFileSync(`${file.path}~`, spec(`${edit}`));
    renameSync(`${file.path}~`, file.path);
    await reloading;
    await goesLive(running, `${edit}`);
  }
});

for (const events of [true, false]) {
  test(`the second of two saves goes live if the first changes the watched files, ${events ? 'with' : 'without'} events`, async () => {
    if (!events) withoutEvents();
    const file = new SpecFile(spec('0'));
    mkdirSync(join(file.folder, 'routes'));
    writeFileSync(join(file.folder, 'routes', 'b.toml'), route('b', 'b'));
    const running = await start(file.path);
    for (let edit = 1; edit <= (events ? 8 : 3); edit++) {
      const include = edit % 2 === 1 ? 'include = ["routes/*.toml"]\n' : '';
      const save = (text: string): void => {
        writeFileSync(`${file.path}~`, text);
        renameSync(`${file.path}~`, file.path);
      };
      save(spec(`${edit}-first`).replace('spec = 1\n', `spec = 1\n${include}`));
      await delay(50 + edit * 35);
      save(spec(`${edit}`).replace('spec = 1\n', `spec = 1\n${include}`));
      await goesLive(running, `${edit}`);
    }
  });
}

test('an edit with unchanged size and modification time goes live', async () => {
  const file = new SpecFile(spec('0'));
  const running = await start(file.path);
  const { atime, mtime } = statSync(file.path);
  for (const body of ['1', '2']) {
    writeFileSync(file.path, spec(body));
    utimesSync(file.path, atime, mtime);
    await goesLive(running, body);
  }
});

test('a spec behind swapped symbolic links goes live, as in a ConfigMap update', async () => {
  const folder = temporaryFolder();
  const turn = (version: number): void => {
    mkdirSync(join(folder, `..${version}`));
    writeFileSync(join(folder, `..${version}`, 'gateway.toml'), spec(String(version)));
    symlinkSync(`..${version}`, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  turn(0);
  symlinkSync('..data/gateway.toml', join(folder, 'gateway.toml'));
  const running = await start(join(folder, 'gateway.toml'));
  for (const version of [1, 2, 3]) {
    turn(version);
    await goesLive(running, String(version));
  }
});

test('an included folder that is deleted and recreated goes live, also nested and without events', async () => {
  withoutEvents();
  const file = new SpecFile(
    `include = ["routes/**/*.toml"]\n${HEAD}`.replace('spec = 1\n', '').replace(/^/, 'spec = 1\n'),
  );
  const deep = join(file.folder, 'routes', 'v1', 'x');
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'a.toml'), route('a', '0'));
  const running = await start(file.path);
  rmSync(join(file.folder, 'routes'), { recursive: true });
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'other.toml'), route('a', '1'));
  await goesLive(running, '1');
});

test('saves that move the old file away or truncate and pause are treated as one save', async () => {
  const file = new SpecFile(spec('0'));
  const running = await start(file.path);
  renameSync(file.path, `${file.path}.bak`);
  await delay(30);
  writeFileSync(file.path, spec('1'));
  await goesLive(running, '1');
  writeFileSync(file.path, '');
  await delay(700);
  writeFileSync(file.path, spec('2'));
  await goesLive(running, '2');
  assert.equal(
    running.gateway.snapshot().reloads.map(({ outcome }) => outcome),
    ['live', 'replaced', 'replaced'],
  );
});

test('an included file that is deleted, recreated and written late does not go live empty', async () => {
  const file = new SpecFile(spec('0').replace('spec = 1\n', 'spec = 1\ninclude = ["routes/*.toml"]\n'));
  mkdirSync(join(file.folder, 'routes'));
  const part = join(file.folder, 'routes', 'b.toml');
  writeFileSync(part, route('b', '0'));
  const running = await start(file.path);
  rmSync(part);
  const descriptor = openSync(part, 'w');
  const statuses = new Set<number>();
  for (let look = 0; look < 10; look++) {
    await delay(60);
    statuses.add((await call(`${running.url}/b`)).status);
  }
  writeSync(descriptor, route('b', '1'));
  closeSync(descriptor);
  await until(async () => (await call(`${running.url}/b`)).body === '1', 'the new content');
  assert.equal([...statuses], [200]);
});

const GUARDED = `${HEAD}
[policy.keys]
use = "api-key"
[consumer.acme]
api_keys = ["sha256:${'a'.repeat(64)}"]
[[route]]
name = "a"
match = "GET /a"
reply = { body = "secret" }
policies = ["keys"]
[[route]]
name = "b"
match = "GET /b"
reply = { body = "secret" }
policies = ["keys"]`;

for (const [pace, lines] of [
  [35, 1],
  [110, 4],
  [600, 6],
] as const) {
  test(`a spec written in place in steps of ${pace} ms never goes live partially`, async () => {
    const file = new SpecFile(GUARDED);
    const running = await start(file.path);
    const all = GUARDED.replaceAll('secret', 'changed').split(/(?<=\n)/);
    let writing = true;
    const statuses: number[] = [];
    const client = (async () => {
      while (writing) {
        statuses.push((await call(`${running.url}/a`)).status, (await call(`${running.url}/b`)).status);
        await delay(5);
      }
    })();
    const handle = openSync(file.path, 'w');
    for (let at = 0; at < all.length; at += lines) {
      writeSync(handle, all.slice(at, at + lines).join(''));
      await delay(pace);
    }
    closeSync(handle);
    await until(() => running.gateway.snapshot().generation.id === 2, 'the new spec');
    writing = false;
    await client;
    assert.ok(statuses.length > 10);
    assert.equal([...new Set(statuses)], [401]);
  });
}

test('lines appended one by one with the file closed in between are one save', async () => {
  const file = new SpecFile(spec('0'));
  const running = await start(file.path);
  const added = GUARDED.slice(GUARDED.indexOf('[policy')).replaceAll('"a"', '"c"').replace('GET /a', 'GET /c');
  const statuses = new Set<number>();
  for (const line of added.split(/(?<=\n)/)) {
    appendFileSync(file.path, line);
    await delay(110);
    statuses.add((await call(`${running.url}/c`)).status);
  }
  await until(async () => (await call(`${running.url}/c`)).status === 401, 'the guarded route');
  assert.equal([...statuses], [404]);
});

test('the removal of a route goes live', async () => {
  const file = new SpecFile(`${spec('0')}${route('b', 'b')}`);
  const running = await start(file.path);
  writeFileSync(file.path, spec('0'));
  await until(async () => (await call(`${running.url}/b`)).status === 404, 'the removal');
});

test('a reload that removes authentication from a route is reported with the route', async () => {
  const file = new SpecFile(GUARDED);
  const { gateway, log } = await start(file.path);
  writeFileSync(file.path, GUARDED.replace('policies = ["keys"]', ''));
  await gateway.reload();
  assert.equal(log.find(/removes authentication/)?.fields, { routes: 'a' });
  assert.equal(log.find(/reloaded as generation 2/)?.fields['changes'], '~route a');
  const [last, first] = gateway.snapshot().reloads;
  assert.match(last?.diagnostics ?? '', /warning\[reload\/unauthenticated\].*route: a\.\n *--> \S+\/gateway\.toml:/);
  assert.ok((last?.warnings ?? 0) > 0);
  assert.equal([last?.outcome, first?.outcome], ['live', 'replaced']);
});

test('the report of an opened route points at the route; an optional credential counts as open', async () => {
  const open = `${HEAD}${route('first', 'x')}${GUARDED.slice(HEAD.length)}`;
  const file = new SpecFile(open);
  const { gateway, log } = await start(file.path);
  const text = open.replace('use = "api-key"', '$&\noptional = true');
  writeFileSync(file.path, text);
  await gateway.reload();
  assert.equal(log.find(/removes authentication/)?.fields, { routes: 'a, b' });
  const line = text.slice(0, text.indexOf('name = "a"')).split('\n').length - 1;
  const [last] = gateway.snapshot().reloads;
  assert.match(
    last?.diagnostics ?? '',
    new RegExp(`reload/unauthenticated.*\\n *--> \\S+/gateway\\.toml:${line}:1\\n`),
  );
});

test('a reload that leaves no routes lists the removed ones', async () => {
  const file = new SpecFile(GUARDED);
  const { gateway, log } = await start(file.path);
  writeFileSync(file.path, HEAD);
  const reload = await gateway.reload();
  assert.equal(log.find(/leaves no routes/)?.fields, { removed: 'a, b' });
  assert.match(reload?.diagnostics ?? '', 'Removed: a, b.');
});

test.run();
