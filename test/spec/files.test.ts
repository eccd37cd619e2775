import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { expandBraces, expandGlob, matchesWildcard } from '../../src/spec/glob.js';
import { loadSpec } from '../../src/spec/index.js';
import { decodeText, MAX_FILE_BYTES, readText } from '../../src/spec/source.js';
import { codesOf, HEAD, inFolder, load, loadFolder, modelOf, only, pointed } from './helper.js';

const route = (name: string): string => `[[route]]\nname = "${name}"\nmatch = "/${name}"\nto = "orders"\n`;
const include = (patterns: string): string => HEAD.replace('spec = 1\n', `spec = 1\ninclude = ${patterns}\n`);

test('includes add to the root, with spans in their own files', () => {
  const outcome = loadFolder({
    'gateway.toml': `${include('["routes/**/*.toml", "extra.toml"]')}[lint]\nallow = [{ code = "a/b", reason = "x" }]\n${route('root')}`,
    'routes/a.toml': route('a'),
    'routes/deep/b.toml': `include = "../../shared/*.toml"\n${route('b')}`,
    'shared/c.toml': `${route('c')}[service.more]\ntargets = ["http://x"]\n[[lint.allow]]\ncode = "c/d"\nreason = "y"\n`,
    'extra.toml':
      'drain_timeout = "5s"\n[normalize]\ntrailing_slash = "ignore"\n[[group]]\nprefix = "/g"\n[[group.route]]\nmatch = "/x"\nto = "more"\n',
    'routes/.hidden.toml': 'broken',
    'routes/notes.txt': 'broken',
  });
  const model = modelOf(outcome);
  assert.equal(
    model.routes.map(({ name, span }) => `${name} ${span.file}`),
    ['root gateway.toml', 'a routes/a.toml', 'b routes/deep/b.toml', 'c shared/c.toml', '/g/x extra.toml'],
  );
  assert.equal(
    model.files.map(({ path }) => path),
    ['gateway.toml', 'routes/a.toml', 'routes/deep/b.toml', 'shared/c.toml', 'extra.toml'],
  );
  assert.is(model.files[0]?.sha256.length, 64);
  assert.is(model.drainTimeout, 5000);
  assert.is(model.normalize.trailing_slash, 'ignore');
  assert.is(model.lint.allow.length, 2);
});

test('a file matched by two patterns, or by its own pattern, is read once', () => {
  const outcome = loadFolder({ 'gateway.toml': include('["*.toml", "a.toml"]'), 'a.toml': route('a') });
  assert.is(modelOf(outcome).routes.length, 1);
});

test('a duplicate in two files is an error that shows both places', () => {
  const outcome = loadFolder({
    'gateway.toml': include('["a.toml"]\ndrain_timeout = "5s"'),
    'a.toml': 'drain_timeout = "6s"\n[service.orders]\ntargets = ["http://y"]\n[policy]\n',
  });
  const found = outcome.diagnostics.filter(({ code }) => code === 'name/duplicate');
  assert.equal(
    found.map(({ message, span, related }) => [message, span.file, related?.[0]?.span.file]),
    [
      ['`drain_timeout` is declared twice.', 'a.toml', 'gateway.toml'],
      ['`service.orders` is declared twice.', 'a.toml', 'gateway.toml'],
    ],
  );
});

test('a cycle of includes is shown', () => {
  const outcome = loadFolder({
    'gateway.toml': include('["a.toml"]'),
    'a.toml': 'include = "b.toml"\n',
    'b.toml': 'include = ["a.toml"]\n',
  });
  const found = only(outcome, 'include/cycle');
  assert.match(found.message, /`a\.toml` -> `b\.toml` -> `a\.toml`/);
  assert.is(pointed(outcome, found.span), '"a.toml"');
  assert.equal(codesOf(loadFolder({ 'gateway.toml': include('"gateway.toml"') })), ['include/cycle']);
});

test('invalid includes are reported', () => {
  const nothing = loadFolder({ 'gateway.toml': include('["none/*.toml"]') });
  assert.is(only(nothing, 'include/nothing').severity, 'warning');
  const missing = loadFolder({ 'gateway.toml': include('["none.toml", "folder"]'), 'folder/x': '' });
  assert.equal(codesOf(missing), ['file/unreadable', 'file/unreadable']);
  assert.match(missing.diagnostics[0]?.message ?? '', /`none\.toml` cannot be read: no such file/);
  assert.equal(codesOf(loadFolder({ 'gateway.toml': include('5') })), ['schema/type']);
  const versioned = loadFolder({ 'gateway.toml': include('"a.toml"'), 'a.toml': 'spec = 1\n' });
  assert.is(only(versioned, 'include/version').span.file, 'a.toml');
  const broken = loadFolder({ 'gateway.toml': include('"a.toml"'), 'a.toml': 'x = \n' });
  assert.is(only(broken, 'toml/syntax').span.file, 'a.toml');
  assert.ok(broken.value);
});

test('an overlay merges tables and named routes and replaces the rest', () => {
  const outcome = loadFolder(
    {
      'gateway.toml': `${include('["*.toml"]')}
[service.managed]
run = { command = "node x.js" }
[[group]]
name = "g"
prefix = "/g"
[[group.route]]
name = "inner"
match = "/i"
to = "orders"
${route('a')}timeout = "1s"
policies = ["keys"]
${route('b')}`,
      'gateway.prod.toml': `
[service.managed]
targets = ["https://managed.internal"]
[service.orders]
retries = 3
[[route]]
name = "a"
timeout = "3s"
[[route]]
name = "b"
reply = { status = 503 }
[[route]]
name = "new"
match = "/new"
to = "orders"
[[group]]
name = "g"
[[group.route]]
name = "inner"
timeout = "9s"
`,
    },
    ['gateway.prod.toml'],
  );
  const model = modelOf(outcome);
  const managed = model.services.find(({ name }) => name === 'managed');
  assert.is(managed?.config.run, undefined);
  assert.is(managed?.at.originOf('targets').from, 'overlay');
  const orders = model.services.find(({ name }) => name === 'orders');
  assert.is(orders?.config.retries, 3);
  assert.is(orders?.at.originOf('retries').from, 'overlay');
  assert.is(orders?.at.originOf('targets').from, 'spec');
  const routes = new Map(model.routes.map((each) => [each.name, each]));
  assert.equal([...routes.keys()], ['a', 'b', 'new', 'inner']);
  assert.is(routes.get('a')?.timeout, 3000);
  assert.is(routes.get('a')?.at.originOf('timeout').from, 'overlay');
  assert.is(routes.get('a')?.at.spanOf('timeout').file, 'gateway.prod.toml');
  assert.is(routes.get('a')?.policies.length, 1);
  assert.is(routes.get('b')?.service, undefined);
  assert.equal(routes.get('b')?.action.config, { status: 503, headers: {}, body: '', template: true });
  assert.is(routes.get('inner')?.timeout, 9000);
});

const BASE = `${HEAD.replace('"127.0.0.1:8080"', '"127.0.0.1:8080"\ntls = { cert = "c.pem", key = "k.pem" }')}[[route]]
name = "a.b"
match = "/a"
to = "orders"
policies = ["keys", "polite"]
timeout = "5s"
[[route]]
name = "debug"
match = "/debug"
to = "orders"
[[group]]
name = "v1"
prefix = "/v1"
[[group.route]]
name = "old"
match = "/old"
to = "orders"
`;

test('an overlay removes entities, routes by name, and single keys', () => {
  const removing = (remove: string, more = ''): ReturnType<typeof loadFolder> =>
    loadFolder({ 'gateway.toml': BASE, 'prod.toml': `remove = ${remove}\n${more}` }, ['prod.toml']);
  const model = modelOf(removing('["route.debug", "listener.main.tls", "route.a.b.timeout", "group.v1.route.old"]'));
  assert.equal(
    model.routes.map(({ name }) => name),
    ['a.b'],
  );
  assert.is(model.listeners[0]!.config.tls, undefined);
  assert.is(model.routes[0]!.timeout, 60_000);
  const replaced = modelOf(removing('["route.a.b"]', '[[route]]\nname = "a.b"\nmatch = "/new"\nto = "orders"\n'));
  assert.equal(replaced.routes.find(({ name }) => name === 'a.b')?.policies, []);
  const outcome = removing('["route.debgu"]');
  assert.match(only(outcome, 'name/unresolved').help ?? '', 'Did you mean `route.debug`?');
  assert.is(only(outcome, 'name/unresolved').span.file, 'prod.toml');
  assert.match(only(removing('["nonsense.x"]'), 'name/unresolved').help ?? '', 'SECTION.NAME');
  assert.equal(codesOf(removing('"route.debug"')), ['schema/type']);
  assert.equal(codesOf(load(`remove = ["route.x"]\n${HEAD}`)), ['schema/unknown-key']);
});

test('overlays apply in order; a missing one is an error', () => {
  const files = { 'gateway.toml': HEAD, 'a.toml': 'drain_timeout = "1s"\n', 'b.toml': 'drain_timeout = "2s"\n' };
  assert.is(modelOf(loadFolder(files, ['a.toml', 'b.toml'])).drainTimeout, 2000);
  assert.is(modelOf(loadFolder(files, ['b.toml', 'a.toml'])).drainTimeout, 1000);
  assert.equal(codesOf(loadFolder(files, ['c.toml'])), ['file/unreadable']);
});

test('files that are not specs give one diagnostic each', () => {
  const cases: readonly (readonly [string | Uint8Array, string, RegExp])[] = [
    [Uint8Array.from({ length: 5000 }, (_, index) => (index * 89) % 256), 'file/not-text', /not UTF-8/],
    ['a = 1\0', 'file/not-text', /NUL/],
    [Buffer.from('\ufeffspec = 1', 'utf16le'), 'file/not-text', /UTF-16/],
    [Uint8Array.of(0xfe, 0xff, 0), 'file/not-text', /UTF-16/],
    [Buffer.alloc(50_000_000, 'a = 1\n'), 'file/too-large', /10 MiB, and it has 47\.7 MiB/],
  ];
  for (const [content, code, message] of cases) {
    const started = performance.now();
    const outcome = loadFolder({ 'gateway.toml': content });
    assert.equal(codesOf(outcome), [code]);
    assert.match(outcome.diagnostics[0]?.message ?? '', message);
    assert.is(outcome.value, undefined);
    assert.is(outcome.files.length, 1);
    assert.ok(performance.now() - started < 5000);
  }
});

test('readText reports why a file cannot be read', () => {
  inFolder({ 'a.toml': '' }, (folder) => {
    const problem = (path: string): string => {
      const found = readText(path);
      return typeof found === 'string' ? '' : found.message;
    };
    assert.match(problem(join(folder, 'none')), /no such file/);
    assert.match(problem(folder), /folder/);
    assert.match(problem(join(folder, 'a.toml', 'b')), /not a folder/);
    assert.match(problem('/x\0y'), /cannot be read/);
    symlinkSync(join(folder, 'loop'), join(folder, 'loop'));
    assert.match(problem(join(folder, 'loop')), /form a loop/);
    if (process.getuid?.() !== 0) {
      chmodSync(join(folder, 'a.toml'), 0);
      assert.match(problem(join(folder, 'a.toml')), /permission/);
    }
    // A device has no size, and may have no end.
    if (process.platform === 'linux') assert.match(problem('/dev/zero'), /it is a device/);
  });
  assert.is(decodeText(Buffer.from('\ufeffa')), '\ufeffa');
  assert.ok(MAX_FILE_BYTES >= 1024 * 1024);
});

test('given text replaces the file', () => {
  inFolder({ 'gateway.toml': 'broken', 'a.toml': route('a') }, (folder) => {
    const outcome = loadSpec({ path: join(folder, 'gateway.toml'), text: include('"a.toml"') });
    assert.is(modelOf(outcome).routes.length, 1);
  });
});

test('wildcards match file names', () => {
  for (const [pattern, name, expected] of [
    ['*', 'a', true],
    ['*.toml', 'a.toml', true],
    ['*.toml', 'a.tom', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['*a*b', 'xaxab', true],
    ['*a*b', 'xaxa', false],
    ['a', 'ab', false],
    ['a*', 'a', true],
  ] as const) {
    assert.is(matchesWildcard(pattern, name), expected, `${pattern} ${name}`);
  }
  const started = performance.now();
  assert.not(matchesWildcard(`${'*a'.repeat(30)}b`, 'a'.repeat(2000)));
  assert.ok(performance.now() - started < 1000);
  assert.equal(expandBraces('a{b,c{d,e}}f'), ['abf', 'acdf', 'acef']);
  assert.equal(expandBraces('a{b'), ['a{b']);
  assert.equal(expandBraces('a}b'), ['a}b']);
  assert.is(expandBraces('{a,b}'.repeat(40)), undefined);
});

test('globs walk folders in order and do not follow links to parents', () => {
  inFolder({ 'a/x.toml': '', 'a/b/y.toml': '', 'a/b/.z.toml': '', 'c.toml': '' }, (folder) => {
    const found = (pattern: string): string[] =>
      expandGlob(pattern, folder).paths.map((path) => path.slice(folder.length + 1));
    mkdirSync(join(folder, '.git'));
    writeFileSync(join(folder, '.git', 'x.toml'), '');
    symlinkSync(folder, join(folder, 'a', 'up'));
    assert.equal(found('**/*.toml'), ['a/b/y.toml', 'a/x.toml', 'c.toml']);
    assert.equal(found('a/*.toml'), ['a/x.toml']);
    assert.equal(found('{a,none}/x.toml'), ['a/x.toml']);
    assert.equal(found('./a/../c.toml'), ['c.toml']);
    assert.equal(found('a/b/.*.toml'), ['a/b/.z.toml']);
    assert.equal(found('a'), []);
    assert.equal(expandGlob(`${folder}/*.toml`, '/').paths, [join(folder, 'c.toml')]);
  });
});

test.run();
