/** compile, inspect, routes: output and exit codes. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeBundle } from '../../src/bundle/encode.js';
import { BUNDLE_FORMAT } from '../../src/bundle/types.js';
import { gw, inFolder } from './kit.js';

const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003", "http://127.0.0.1:4004"]
[service.files]
run = { command = "node files.js" }
[service.cloud]
targets = ["\${env:CLOUD_URL}"]
[consumer.acme]
api_keys = ["sha256:8676d15d94dabdd1283e6c407e2bb08a7b5c13b4e3667d4795c17172e080a3d4"]
[policy.keys]
use = "api-key"
[[route]]
name = "rest"
match = "/{rest...}"
to = "files"
policies = ["keys"]
[[route]]
name = "get-order"
match = "GET /orders/{id:int}"
to = "orders"
policies = ["keys"]
[[route]]
name = "health"
match = "GET /healthz"
reply = { status = 204 }
[[route]]
name = "cloud"
match = { path = "/", host = "cloud.example.com", methods = ["GET"], headers = { x-beta = true } }
to = "cloud"
policies = ["keys"]
`;
const BROKEN = `${SPEC}[[route]]\nmatch = "GET /x"\nto = "ordrs"\n`;

interface RouteList {
  readonly version: number;
  readonly routes: {
    name: string;
    service: string | null;
    status: number | null;
    targets: string[];
    source: string;
    policies: string[];
  }[];
}

const keyPair = () =>
  generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });

test('compile writes a reproducible bundle and prints a summary', () =>
  inFolder({ 'gateway.toml': SPEC }, async (cwd) => {
    const first = await gw(['compile', '-o', 'a.bundle'], { cwd });
    assert.is(first.code, 0, first.err);
    const bundle = decodeBundle(readFileSync(join(cwd, 'a.bundle')));
    assert.match(first.out, new RegExp(`^a\\.bundle: \\d+ bytes, sha256 ${bundle.sha256}\n$`));
    await gw(['compile', 'gateway.toml', '--output', 'b.bundle'], { cwd });
    assert.ok(readFileSync(join(cwd, 'a.bundle')).equals(readFileSync(join(cwd, 'b.bundle'))));
    assert.match(readFileSync(join(cwd, 'a.bundle')).toString('latin1'), '{"$ref":"${env:CLOUD_URL}"}');
  }));

test('compile --stats lists stages and passes, as text and as JSON', () =>
  inFolder({ 'gateway.toml': SPEC }, async (cwd) => {
    const { out } = await gw(['compile', '-o', 'a.bundle', '--stats'], { cwd });
    assert.match((await gw(['compile', '-o', 'a.bundle', '--stats', '--quiet'], { cwd })).out, 'pass ');
    assert.match(out, '4 routes, 3 services, 1 policy');
    assert.match(out, /pass \S+: /);
    assert.match(out, /lower [\d.]+ ms, passes [\d.]+ ms, emit [\d.]+ ms/);
    const json = JSON.parse((await gw(['compile', '-o', 'a.bundle', '--stats', '--json'], { cwd })).out) as {
      version: number;
      sha256: string;
      signed: boolean;
      stats: { routes: number };
    };
    assert.is(json.version, 1);
    assert.is(json.signed, false);
    assert.is(json.stats.routes, 4);
    assert.is(json.sha256.length, 64);
  }));

test('compile -o - writes the bundle to standard output and messages to standard error', () =>
  inFolder({ 'gateway.toml': SPEC }, async (cwd) => {
    const { code, out, err } = await gw(['compile', '-o', '-'], { cwd });
    assert.is(code, 0);
    assert.match(out, /^GWB1/);
    assert.match(err, /^-: \d+ bytes/);
    assert.is((await gw(['compile', '-o', '-', '--json'], { cwd })).code, 2);
  }));

test('compile of a spec with errors prints them and writes nothing', () =>
  inFolder({ 'gateway.toml': BROKEN }, async (cwd) => {
    const { code, out, err } = await gw(['compile', '-o', 'a.bundle'], { cwd });
    assert.is(code, 1);
    assert.is(out, '');
    assert.match(err, '`ordrs`');
    assert.match(err, /gateway\.toml:\d+:6/);
    assert.not.match(err, 'gw: ');
    assert.not.ok(existsSync(join(cwd, 'a.bundle')));
  }));

test('inspect --verify checks the signature of compile --sign', () => {
  const mine = keyPair();
  const other = keyPair();
  const files = {
    'gateway.toml': SPEC,
    'key.pem': mine.privateKey,
    'mine.pem': mine.publicKey,
    'other.pem': other.publicKey,
  };
  return inFolder(files, async (cwd) => {
    assert.match((await gw(['compile', '-o', 'a.bundle', '--sign', 'key.pem'], { cwd })).out, ', signed');
    const signature = async (...flags: string[]): Promise<unknown> =>
      (JSON.parse((await gw(['inspect', 'a.bundle', ...flags], { cwd })).out) as { signature: string }).signature;
    assert.is(await signature(), 'present');
    assert.is(await signature('--verify', 'mine.pem'), 'verified');
    const wrong = await gw(['inspect', 'a.bundle', '--verify', 'other.pem'], { cwd });
    assert.is(wrong.code, 1);
    assert.match(wrong.err, 'a.bundle: The signature of the bundle does not match');
    await gw(['compile', '-o', 'plain.bundle'], { cwd });
    assert.match((await gw(['inspect', 'plain.bundle', '--verify', 'mine.pem'], { cwd })).err, 'is not signed');
  });
});

test('invalid keys, missing files and unwritable folders are errors', () =>
  inFolder({ 'gateway.toml': SPEC, 'no.pem': 'no key' }, async (cwd) => {
    const ends = async (...args: string[]) => {
      const { code, err } = await gw(args, { cwd });
      return `${code} ${err.split('\n')[0]}`;
    };
    assert.match(
      await ends('compile', '-o', 'a.bundle', '--sign', 'no.pem'),
      /^1 gw: no\.pem: The private key cannot be read/,
    );
    assert.match(
      await ends('compile', '-o', 'a.bundle', '--sign', 'missing.pem'),
      /^1 gw: Cannot read missing\.pem: no such file\.$/,
    );
    assert.match(
      await ends('compile', '-o', 'no/such/a.bundle'),
      /^1 gw: Cannot write no\/such\/a\.bundle: no such folder\.$/,
    );
    assert.is(await ends('compile', '-o', ''), '2 gw: The name of the output file is empty.');
    assert.is(await ends('compile', '-o', 'new/'), '1 gw: Cannot write new/: it is the name of a folder.');
    assert.match(await ends('inspect', 'missing.bundle'), /^1 gw: Cannot read missing\.bundle: no such file\.$/);
    assert.match(await ends('inspect', 'gateway.toml'), /^1 gw: gateway\.toml: This file is not a gw bundle/);
    assert.match(await ends('compile', 'missing.toml', '-o', 'a.bundle'), /^1 error\[/);
  }));

test('a path through a file or a symbolic link loop is an error, not a bug report', () =>
  inFolder({ file: '', 'gateway.toml': SPEC }, async (cwd) => {
    symlinkSync('circle', join(cwd, 'circle'));
    for (const [args, message] of [
      [['routes', 'file/x'], 'a part of the path is not a folder'],
      [['validate', 'file/x.toml'], 'a part of the path is not a folder'],
      [['routes', 'circle'], 'its symbolic links form a loop'],
      [['inspect', 'file/x'], 'a part of the path is not a folder'],
      [['compile', '-o', 'file/x'], 'Cannot write file/x: a part of the path is not a folder.'],
    ] as const) {
      const { code, err, out } = await gw([...args], { cwd });
      assert.is(code, 1, args.join(' '));
      assert.match(err + out, message);
    }
  }));

test('inspect shows the program and trie statistics without secrets', () =>
  inFolder({ 'gateway.toml': SPEC }, async (cwd) => {
    await gw(['compile', '-o', 'a.bundle'], { cwd, env: { CLOUD_URL: 'http://secret.example' } });
    const { code, out } = await gw(['inspect', 'a.bundle'], { cwd, env: { CLOUD_URL: 'http://secret.example' } });
    assert.is(code, 0);
    assert.not.match(out, 'secret');
    const shown = JSON.parse(out) as {
      version: number;
      format: number;
      signature: string;
      trie: { routes: number; nodes: number; patterns: number };
      program: { routes: { name: string }[] };
    };
    assert.is(shown.version, 1);
    assert.is(shown.format, BUNDLE_FORMAT);
    assert.is(shown.signature, 'none');
    assert.is(shown.trie.routes, 4);
    assert.is(shown.trie.patterns, 1);
    assert.is(shown.program.routes.length, 4);
  }));

test('inspect rejects a damaged bundle', () =>
  inFolder({ 'gateway.toml': SPEC }, async (cwd) => {
    await gw(['compile', '-o', 'a.bundle'], { cwd });
    const bytes = readFileSync(join(cwd, 'a.bundle'));
    bytes[100]! ^= 1;
    writeFileSync(join(cwd, 'a.bundle'), bytes);
    const { code, err } = await gw(['inspect', 'a.bundle'], { cwd });
    assert.is(code, 1);
    assert.match(err, 'The bundle is damaged');
  }));

test('routes lists routes in match order with policies and targets', () =>
  inFolder({ 'gateway.toml': SPEC }, async (cwd) => {
    const { code, out } = await gw(['routes'], { cwd });
    assert.is(code, 0);
    assert.equal(
      out.split('\n').map((line) => line.split(/ {2,}/)),
      [
        ['ROUTE', 'MATCH', 'POLICIES', 'TO'],
        ['cloud', 'GET cloud.example.com/ if header x-beta is present', 'keys', 'cloud (${env:CLOUD_URL})'],
        ['health', 'GET /healthz', '-', 'reply 204'],
        ['get-order', 'GET /orders/{id:int}', 'keys', 'orders (http://127.0.0.1:4003, http://127.0.0.1:4004)'],
        ['rest', '/{rest...}', 'keys', 'files (node files.js)'],
        [''],
      ],
    );
  }));

test('routes --json prints the same for a bundle and its spec', () =>
  inFolder({ 'gateway.toml': SPEC }, async (cwd) => {
    const fromSpec = JSON.parse((await gw(['routes', '--json'], { cwd })).out) as RouteList;
    assert.is(fromSpec.version, 1);
    assert.equal(fromSpec.routes[2], {
      name: 'get-order',
      match: 'GET /orders/{id:int}',
      host: null,
      conditions: [],
      policies: ['keys'],
      action: { use: 'proxy', summary: 'forwards to orders' },
      service: 'orders',
      status: null,
      targets: ['http://127.0.0.1:4003', 'http://127.0.0.1:4004'],
      source: 'gateway.toml:19',
    });
    assert.is(fromSpec.routes[1]?.status, 204);
    await gw(['compile', '-o', 'a.bundle'], { cwd });
    assert.equal(JSON.parse((await gw(['routes', 'a.bundle', '--json'], { cwd })).out), fromSpec);
  }));

test('routes shows hosts, listeners and removed policies', () =>
  inFolder(
    {
      'gateway.toml': `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[listener.internal]
address = "127.0.0.1:9090"
[defaults]
policies = ["keys"]
[policy.keys]
use = "api-key"
[[route]]
name = "stats"
match = { path = "/stats", host = ["b.example", "a.example"] }
reply.status = 204
listeners = ["internal"]
without = ["keys"]
`,
    },
    async (cwd) => {
      const { routes } = JSON.parse((await gw(['routes', '--json'], { cwd })).out) as RouteList;
      assert.equal(routes[0], {
        name: 'stats',
        match: '/stats',
        host: 'a.example',
        hosts: ['a.example', 'b.example'],
        conditions: [],
        listeners: ['internal'],
        policies: [],
        without: ['keys'],
        action: { use: 'reply', summary: 'reply 204' },
        service: null,
        status: 204,
        targets: [],
        source: 'gateway.toml:10',
      });
      const { out } = await gw(['routes'], { cwd });
      assert.match(out, 'a.example,b.example/stats on internal');
      assert.match(out, '- (without keys)');
      const explained = await gw(['explain', 'GET', 'http://b.example/stats'], { cwd });
      assert.match(explained.out, 'it is served on `internal`, not on `main`');
      assert.match(
        (await gw(['explain', 'GET', 'http://b.example/stats', '--listener', 'internal'], { cwd })).out,
        'route stats answers 204',
      );
      assert.is((await gw(['explain', 'GET', '/stats', '--listener', 'nowhere'], { cwd })).code, 2);
    },
  ));

test('routes --filter matches name, match, service or policy; several filters must all match', () =>
  inFolder({ 'gateway.toml': SPEC }, async (cwd) => {
    const names = async (...filters: string[]): Promise<string[]> => {
      const flags = filters.flatMap((filter) => ['--filter', filter]);
      return (JSON.parse((await gw(['routes', '--json', ...flags], { cwd })).out) as RouteList).routes.map(
        ({ name }) => name,
      );
    };
    assert.equal(await names('ORDER'), ['get-order']);
    assert.equal(await names('get /'), ['health', 'get-order']);
    assert.equal(await names('keys', 'files'), ['rest']);
    assert.equal(await names('nothing'), []);
    assert.match((await gw(['routes', '-f', 'order'], { cwd })).err, '1 of 4 routes');
  }));

test('the spec is found in the given folder or its parents; without one the command fails', () =>
  inFolder({ 'gateway.toml': SPEC, 'sub/deeper/x': '' }, async (cwd) => {
    assert.is((await gw(['routes'], { cwd: join(cwd, 'sub', 'deeper') })).code, 0);
    assert.is((await gw(['routes', cwd])).code, 0);
    const none = await gw(['routes'], { cwd: '/' });
    assert.is(none.code, 1);
    assert.match(none.err, '`gw init`');
  }));

test('overlays are merged into the spec', () =>
  inFolder(
    { 'gateway.toml': SPEC, 'prod.toml': '[service.orders]\ntargets = ["http://10.0.0.1:80"]\n' },
    async (cwd) => {
      const { out } = await gw(['routes', '--overlay', 'prod.toml', '-f', 'get-order'], { cwd });
      assert.match(out, 'orders (http://10.0.0.1:80)');
      assert.not.match(out, '4003');
    },
  ));

test('routes --json of a spec with errors prints its diagnostics and exits with 1', () =>
  inFolder({ 'gateway.toml': BROKEN }, async (cwd) => {
    const { code, out, err } = await gw(['routes', '--json'], { cwd });
    assert.is(code, 1);
    assert.is(err, '');
    const { version, error } = JSON.parse(out) as { version: number; error: { diagnostics: { message: string }[] } };
    assert.is(version, 1);
    assert.match(error.diagnostics[0]?.message ?? '', '`ordrs`');
  }));

test.run();
