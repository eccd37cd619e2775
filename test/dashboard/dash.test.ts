import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DashError, type DashOptions, dash } from '../../src/dashboard/index.js';
import { type DatedSnapshot, dated, snapshotJson, snapshotText } from '../../src/dashboard/once.js';
import { terminalIsUnicode, themeFor } from '../../src/dashboard/theme.js';
import type { Snapshot } from '../../src/telemetry/snapshot.js';
import { FakeGateway, idleSnapshot } from './fake-gateway.js';
import { withFolder } from './help.js';
import { route, snapshot } from './sample.js';

async function run(options: Partial<DashOptions> & { directory: string }): Promise<{ code: number; out: string }> {
  let out = '';
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      out += String(chunk);
      done();
    },
  });
  const { directory, env, ...more } = options;
  const code = await dash({
    cwd: directory,
    stdin: process.stdin,
    stdout,
    ...more,
    env: { GW_RUNTIME_DIR: directory, ...env },
  });
  return { code, out };
}

async function refusal(work: Promise<unknown>): Promise<DashError> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, DashError);
    return error as DashError;
  }
  throw new Error('it did not fail');
}

test('--once --json prints the snapshot, --once a summary', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory, spec: join(directory, 'gateway.toml') });
    const json = await run({ directory, once: true, json: true });
    assert.is(json.code, 0);
    const { received, ...printed } = JSON.parse(json.out);
    assert.equal(printed, gateway.snapshot);
    assert.is(received.stale, false);
    const text = await run({ directory, once: true });
    assert.match(text.out, /^data {8}.* old\ngateway {5}.*ready, process/);
    const address = await run({
      directory: '/nowhere',
      once: true,
      address: gateway.socket,
      env: { GW_RUNTIME_DIR: directory },
    });
    assert.match(address.out, /^gateway/m);
    await gateway.close();
  });
});

test('usage errors show a correct command', async () => {
  await withFolder(async (directory) => {
    const json = await refusal(run({ directory, json: true }));
    assert.equal([json.kind, json.message], ['usage', '--json prints one snapshot: use --once --json']);
    const pipe = await refusal(run({ directory }));
    assert.is(pipe.kind, 'usage');
    assert.match(pipe.message, /needs a terminal[\s\S]*gw dash --once/);
    const address = await refusal(run({ directory, once: true, address: 'ftp://x' }));
    assert.is(address.kind, 'usage');
    const none = await refusal(run({ directory, once: true }));
    assert.equal([none.kind, /no gateway is running[\s\S]*gw serve/.test(none.message)], ['failed', true]);
    const gone = await refusal(run({ directory, once: true, address: join(directory, 'x.sock') }));
    assert.is(gone.kind, 'failed');
    assert.match(gone.message, /there is no socket at/);
  });
});

test('--once with several gateways lists them with their addresses', async () => {
  await withFolder(async (directory) => {
    const one = await FakeGateway.start({ directory, spec: '/a/gateway.toml' });
    const two = await FakeGateway.start({ directory, spec: '/b/gateway.toml', pid: process.ppid });
    const error = await refusal(run({ directory, once: true }));
    assert.is(error.kind, 'usage');
    assert.match(error.message, /several gateways/);
    for (const gateway of [one, two]) assert.ok(error.message.includes(`--address ${gateway.socket}`));
    await one.close();
    await two.close();
  });
});

test('an error on TCP does not contain the token', async () => {
  const gateway = await FakeGateway.start({ token: 'sesame' });
  await withFolder(async (directory) => {
    const ask = (token: string) => run({ directory, once: true, address: gateway.url, env: { GW_ADMIN_TOKEN: token } });
    assert.is((await ask('sesame')).code, 0);
    const error = await refusal(ask('guess'));
    assert.match(error.message, /refused the token/);
    assert.not.match(error.message, /guess/);
  });
  await gateway.close();
});

test('a partly written entry is ignored', async () => {
  await withFolder(async (directory) => {
    writeFileSync(join(directory, `${process.pid}.json`), '');
    assert.is((await refusal(run({ directory, once: true }))).kind, 'failed');
  });
});

/** A snapshot received just now. */
const fresh = (taken: Snapshot): DatedSnapshot => ({ snapshot: taken, receivedAt: 1_000, ageMs: 0 });

test('both formats state the age of the snapshot; none older than 3 s counts as ready', () => {
  const { now } = snapshot().gateway;
  const old = dated(snapshot(), now - 10_000, now + 7_000);
  assert.is(old.ageMs, 7_000);
  assert.match(snapshotText(old), /^data +\S+ \S+, STALE: 7s old\n[\s\S]*was ready/);
  assert.equal(JSON.parse(snapshotJson(old)).received, { at: now + 7_000, ageMs: 7_000, stale: true });
  const current = dated(snapshot(), now - 10, now + 5);
  assert.match(snapshotText(current), /^data +\S+ \S+, 0s old\n[\s\S]* {2}ready,/);
  assert.is(JSON.parse(snapshotJson(current)).received.stale, false);
  assert.is(dated(snapshot(), now + 99_000, now + 99_020).ageMs, 20, 'of a machine whose clock is behind');
  assert.is(dated(snapshot(), now - 99_000, now - 98_000).ageMs, 0, 'of one whose clock is ahead');
});

test('the text has every part, aligned, with long tables cut', () => {
  const text = snapshotText(fresh(snapshot({}, { routes: 80 })), '/srv');
  assert.match(text, /~\/shop\/gateway\.toml {2}ready/);
  assert.match(text, /\n {2}ROUTE +MATCH +REQ\/S/);
  assert.match(text, /and 30 more \(--json prints all\)/);
  assert.match(text, /polite {2}100\/min {2}consumer {2}acme +100\/100 +in 0\.5s +311/);
  assert.match(text, /ejected, retry in 12s/);
  assert.match(text, /rejected +- /);
  const full = snapshot();
  assert.match(
    snapshotText(fresh({ ...full, gateway: { ...full.gateway, overloaded: 1 } })),
    /^memory +87\.0MiB, short: new connections are refused$/m,
  );
  const idle = snapshotText(fresh(idleSnapshot(Date.now())));
  assert.match(idle, /no keys counted[\s\S]*no targets[\s\S]*no reloads since the start/);
});

const caches = [
  {
    policy: 'keep',
    requests: { hit: 60, stale: 10, collapsed: 5, miss: 25, bypass: 3 },
    validated: 4,
    invalidated: 1,
  },
];

test('the text has the caches of replies, if there are some', () => {
  assert.not.match(snapshotText(fresh(snapshot({ caches: [] }))), /\ncaches\n/);
  const text = snapshotText(fresh(snapshot({ caches })));
  assert.match(
    text,
    /\ncaches\n {2}POLICY {2}HIT RATE {2}FROM CACHE {2}FROM ORIGIN {2}BYPASS {2}ENTRIES {2}IN MEMORY\n/,
  );
  assert.match(text, /\n {2}keep +75% +75 +25 +3 +0 +0B\n/);
});

test('neither format passes control characters to the terminal', () => {
  const evil = 'a\x1b[31mb\x9bc\u202ed\x7f\n';
  const dirty = snapshot({ routes: [route(evil, { match: evil })] });
  const named = { ...dirty, gateway: { ...dirty.gateway, spec: evil } };
  assert.not.match(snapshotText(fresh(named)), /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
  const json = snapshotJson(fresh(named));
  assert.not.match(json, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
  assert.equal(JSON.parse(json), { ...named, received: { at: 1_000, ageMs: 0, stale: false } });
});

test('the tables of one snapshot fit a terminal of 80 columns', () => {
  const text = snapshotText(fresh(snapshot({}, { routes: 20 })), '/srv', 80);
  const wide = snapshotText(fresh(snapshot({}, { routes: 20 })), '/srv');
  const tables = (all: string): string[] => all.slice(all.indexOf('\nroutes\n')).split('\n');
  assert.equal(
    tables(text).filter((line) => line.length > 80),
    [],
  );
  assert.ok(tables(wide).some((line) => line.length > 80));
  assert.is(tables(text).length, tables(wide).length);
});

test('terminal capabilities follow from locale and type', () => {
  const unicode = (env: NodeJS.ProcessEnv): boolean => terminalIsUnicode(env);
  assert.ok(unicode({ LANG: 'en_US.UTF-8' }));
  assert.ok(unicode({ LC_ALL: 'C.utf8', LANG: 'C' }));
  assert.not(unicode({ LC_ALL: 'C', LANG: 'en_US.UTF-8' }));
  assert.not(unicode({ LC_CTYPE: 'POSIX', LANG: 'en_US.UTF-8' }));
  assert.not(unicode({}));
  assert.not(unicode({ LANG: 'C.UTF-8', TERM: 'linux' }));
  assert.not(themeFor({ NO_COLOR: '1' }).colour);
  assert.ok(themeFor({ NO_COLOR: '' }).colour);
  assert.not(themeFor({ TERM: 'dumb' }).colour);
  assert.ok(themeFor({ LANG: 'C.UTF-8' }, { ascii: true }).ascii);
});

test.run();
