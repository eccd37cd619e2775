import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { discover, rediscover } from '../../src/dashboard/discover.js';
import { runningGateways } from '../../src/telemetry/running-gateways.js';
import { FakeGateway } from './fake-gateway.js';
import { withFolder } from './help.js';

/** A folder for entries, one for specs, and live processes: this one and its parent. */
async function withGateways(
  specs: readonly string[],
  work: (place: { env: NodeJS.ProcessEnv; folder: string; directory: string }) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const directory = join(folder, 'run');
    mkdirSync(directory, { mode: 0o700 });
    const started: FakeGateway[] = [];
    for (const [index, spec] of specs.entries()) {
      const pid = index === 0 ? process.pid : process.ppid;
      const path = join(folder, spec);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, 'spec = 1\n');
      started.push(await FakeGateway.start({ directory, spec: path, pid }));
    }
    try {
      await work({ env: { GW_RUNTIME_DIR: directory }, folder, directory });
    } finally {
      for (const gateway of started) await gateway.close();
    }
  });
}

test('no gateway is found if none runs', async () => {
  await withGateways([], async ({ env, folder, directory }) => {
    assert.equal(await discover({ env, cwd: folder }), { kind: 'none', directory });
  });
});

test('the only gateway is found from any folder', async () => {
  await withGateways(['shop/gateway.toml'], async ({ env, folder }) => {
    const found = await discover({ env, cwd: folder });
    assert.is(found.kind === 'one' && found.why, 'only');
  });
});

test('of several gateways the one of this folder is found, also through a link', async () => {
  await withGateways(['shop/gateway.toml', 'bank/gateway.toml'], async ({ env, folder }) => {
    const own = await discover({ env, cwd: join(folder, 'bank') });
    assert.is(own.kind === 'one' && own.why, 'here');
    assert.is(own.kind === 'one' && own.entry.spec, join(folder, 'bank/gateway.toml'));
    symlinkSync(join(folder, 'bank'), join(folder, 'link'));
    const linked = await discover({ env, cwd: join(folder, 'link') });
    assert.is(linked.kind === 'one' && linked.entry.spec, join(folder, 'bank/gateway.toml'));
  });
});

test('gateway.toml is preferred to another spec in the folder, and both to other folders', async () => {
  await withGateways(['shop/gateway.toml', 'shop/other.toml'], async ({ env, folder }) => {
    const found = await discover({ env, cwd: join(folder, 'shop') });
    assert.is(found.kind === 'one' && found.entry.spec, join(folder, 'shop/gateway.toml'));
  });
  await withGateways(['shop/dev.toml', 'bank/gateway.toml'], async ({ env, folder }) => {
    const found = await discover({ env, cwd: join(folder, 'shop') });
    assert.is(found.kind === 'one' && found.entry.spec, join(folder, 'shop/dev.toml'));
  });
});

test('several gateways in other folders give a list', async () => {
  await withGateways(['shop/gateway.toml', 'bank/gateway.toml'], async ({ env, folder }) => {
    const found = await discover({ env, cwd: folder });
    assert.is(found.kind === 'several' && found.entries.length, 2);
  });
});

test('one spec served twice gives a list', async () => {
  await withGateways(['shop/gateway.toml', 'shop/gateway.toml'], async ({ env, folder }) => {
    const found = await discover({ env, cwd: join(folder, 'shop') });
    assert.is(found.kind === 'several' && found.entries.length, 2);
  });
});

test('dead processes, unserved sockets and invalid entries are skipped', async () => {
  await withGateways(['shop/gateway.toml'], async ({ folder, directory }) => {
    const entry = { pid: process.pid, spec: '/x', socket: join(directory, 'gone.sock'), startedAt: 1, listeners: [] };
    // The highest process id on Linux is 2^22.
    const dead = { ...entry, pid: 2 ** 22 + 7, socket: join(directory, `${process.pid}.sock`) };
    const texts: Record<string, string> = {
      '1001.json': JSON.stringify(entry),
      '1002.json': JSON.stringify(dead),
      '1003.json': '{"pid": 12',
      '1004.json': '',
      '1005.json': 'null',
      '1006.json': JSON.stringify({ ...entry, pid: -1 }),
      '1007.json': JSON.stringify({ ...entry, listeners: [7] }),
      '1008.json': JSON.stringify({ ...entry, socket: 7 }),
      '1009.json': `"${'x'.repeat(1024 * 1024)}"`,
      'notes.json': JSON.stringify(entry),
      '1010.sock': '',
    };
    for (const [file, text] of Object.entries(texts)) writeFileSync(join(directory, file), text);
    mkdirSync(join(directory, '1011.json'));
    const found = await runningGateways(directory);
    assert.equal(
      found.map(({ spec }) => spec),
      [join(folder, 'shop/gateway.toml')],
    );
  });
});

test('the second gateway in a process is found too', async () => {
  await withGateways(['shop/gateway.toml'], async ({ directory }) => {
    const socket = join(directory, `${process.pid}.sock`);
    const entry = { pid: process.pid, spec: '/x', socket, startedAt: 1, listeners: ['127.0.0.1:1'] };
    writeFileSync(join(directory, `${process.pid}-2.json`), JSON.stringify(entry));
    assert.is((await runningGateways(directory)).length, 2);
  });
});

test('rediscover finds the same gateway while it runs, then the one that serves its spec', async () => {
  await withGateways(['shop/gateway.toml', 'shop/gateway.toml'], async ({ env, directory }) => {
    const [one, two] = await runningGateways(directory);
    assert.ok(one && two);
    assert.is((await rediscover(one, { env, cwd: '/' }))?.pid, one.pid);
    assert.is((await rediscover(two, { env, cwd: '/' }))?.pid, two.pid);
    const gone = { ...two, socket: join(directory, 'gone.sock'), pid: 2 ** 22 + 7 };
    assert.is((await rediscover(gone, { env, cwd: '/' }))?.spec, two.spec);
    assert.is(await rediscover({ ...gone, spec: '/gone/gateway.toml' }, { env, cwd: '/' }), undefined);
  });
});

test('a runtime folder that is a file or cannot be created has no gateways', async () => {
  await withFolder(async (folder) => {
    const file = join(folder, 'run');
    writeFileSync(file, '');
    for (const directory of [file, join(file, 'below')]) {
      const env = { GW_RUNTIME_DIR: directory };
      assert.equal(await discover({ env, cwd: folder }), { kind: 'none', directory });
    }
  });
});

test.run();
