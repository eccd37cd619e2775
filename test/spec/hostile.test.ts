/** Hostile specs and specs with typical mistakes: each gets helpful diagnostics within a bounded time. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkSpec } from '../../src/lint/index.js';
import { render } from '../../src/lint/render/index.js';
import { HEAD, inFolder } from './helper.js';

const ROUTE = '[[route]]\nmatch = "/x"\nto = "orders"\n';
const routed = (lines: string): string => `${HEAD}[[route]]\n${lines}\n`;
const matching = (match: string): string => routed(`match = ${match}\nto = "orders"`);
const serving = (targets: string): string => `${HEAD}[service.more]\n${targets}\n${ROUTE}`;
const listening = (address: string): string => `spec = 1\n[listener.main]\naddress = ${address}\n`;

const outputOf = (text: string): string => {
  const { diagnostics, files } = checkSpec({ path: '/nowhere/gateway.toml', text });
  for (const { code, message, help, span } of diagnostics) {
    assert.ok(help, `${code} has no help: ${message}`);
    assert.ok(span.start.offset <= span.end.offset && span.end.offset <= text.length);
  }
  return render(diagnostics, files, 'pretty', { color: false });
};

/** Specs, and the texts that the output must contain. */
const SPECS: readonly (readonly [text: string, ...answers: (string | RegExp)[]])[] = [
  // not TOML, or almost TOML
  ['spec: 1\n', 'key = value'],
  ['{"spec": 1}', 'looks like JSON'],
  ['Hello, this is no spec\n', 'Expected `=`'],
  ['server {\n  listen 80;\n}\n', 'Expected `=`'],
  ['spec = True\n', 'Write `true`'],
  ['spec = 1;\n', 'lines in TOML have no end mark'],
  ['spec\u00a0= 1\n', 'no-break space'],
  ['x = \u201cabc\u201d\n', 'plain quotes'],
  ['x = [1 2]\n', 'comma'],
  ['x = [1,\n', 'Unclosed array'],
  ['x = { a = 1\n', 'Unclosed inline table'],
  ['x = """abc\ny = 1\n', 'Unclosed multi-line string'],
  ['x = "abc\n', 'Unclosed string'],
  ['[listener.main\n', 'Unclosed table header'],
  ['spec = 01\n', 'must not begin with a zero'],
  ['x = "\\q"\n', 'unknown escape'],
  ['x = "\u0001"\n', 'Control characters'],
  ['x = 99999999999999999999\n', 'number is too large'],
  ['name = orders\n', 'Put strings in quotes'],
  [HEAD.replaceAll('\n', '\r'), 'end of the line'],
  ['spec = 1\nspec = 1\n', 'defined twice'],
  [`${HEAD}[service.orders]\ntargets = []\n`, 'defined twice'],
  [`${HEAD}group = ${'[{group='.repeat(90)}[]${'}]'.repeat(90)}\n`, 'too deeply'],
  // the version
  ['', 'Add `spec = 1` at the top of the file'],
  ['# nothing\n', 'Add `spec = 1`'],
  ['\ufeff', 'Add `spec = 1`'],
  ['spec = 99999999999999999\n', 'version 99999999999999999'],
  ['spec = 1979-05-27\n', 'found a date or time'],
  ['spec = 1.0\n', 'found a number with a decimal point'],
  ['spec = 1\n', 'listener/none', 'route/none'],
  // entities in the wrong kind of table
  [`${HEAD}[route]\nmatch = "/"\n`, 'double brackets'],
  [`${HEAD}[route.x]\nmatch = "/"\n`, 'double brackets'],
  [`${HEAD}[[group.route]]\nmatch = "/"\nto = "orders"\n`, 'followed by its routes as `[[group.route]]`'],
  ['spec = 1\n[[service]]\nname = "x"\n', '[service.NAME]'],
  [`${HEAD}route = [{ match = "/", to = "orders" }]\n`, /`route` is a top-level key|Known keys/],
  [`${HEAD}[service.two]\ntargets = ["http://127.0.0.1:1"]\ndrain_timeout = "5s"\n`, 'is a top-level key'],
  // keys with other names, and keys that are also properties of objects
  [`${HEAD}[services.a]\ntargets = []\n`, 'Did you mean `service`?'],
  [`${HEAD}[policies.a]\nuse = "headers"\n`, 'Did you mean `policy`?'],
  [`${HEAD}[upstream.a]\n`, 'Use `service` instead of `upstream`'],
  [routed('path = "/x"\nto = "orders"'), 'Use `match` instead of `path`', 'match = "GET /orders/{id:int}"'],
  [`${HEAD}[service.__proto__]\ntargets = ["http://127.0.0.1:1"]\n`, 'is not a valid service name'],
  [`${HEAD}[__proto__]\nx = 1\n`, 'Unknown key `__proto__`'],
  [routed('match = "/"\nto = "__proto__"'), 'Unknown service `__proto__`'],
  [routed('match = "/"\nto = "constructor"'), 'Unknown service `constructor`'],
  [`${HEAD}[policy.x]\nuse = "toString"\n`, 'Unknown policy kind'],
  [`${HEAD}["service"."x y"]\ntargets = ["http://127.0.0.1:1"]\n`, 'is not a valid service name'],
  [`${HEAD}[service."ünïcødé"]\ntargets = ["http://127.0.0.1:1"]\n`, 'is not a valid service name'],
  // scalars of another kind
  [serving('targets = ["http://127.0.0.1:1"]\nretries = "3"'), 'Write `3` without quotes'],
  [serving('targets = ["http://127.0.0.1:1"]\nretries = 1.0'), 'Write `1` without a decimal point'],
  [serving('targets = ["http://127.0.0.1:1"]\nretries = nan'), 'found the number nan'],
  [serving('targets = ["http://127.0.0.1:1"]\nretries = -inf'), 'found the number -inf'],
  [serving('targets = [{ url = "http://127.0.0.1:1", weight = 9223372036854775807 }]'), 'found 9223372036854775807'],
  [serving('targets = "http://127.0.0.1:1"'), 'Write a list'],
  [routed('name = 1979-05-27T07:32:00Z\nmatch = "/"\nto = "orders"'), 'found a date or time'],
  [routed('match = "/"\nto = "orders"\npolicies = "keys"'), 'Write a list: `["keys"]`', '\n1 error '],
  [routed('match = "/"\nto = "orders"\npolicies = [1, [], {}, { use = 1 }]'), 'use = "KIND"', 'Missing key `use`'],
  [`${HEAD}[policy.c]\nuse = "api-key"\noptional = "True"\n`, 'Write `true` without quotes'],
  // durations, sizes, rates
  [routed('match = "/"\nto = "orders"\ntimeout = 5'), 'a number and a unit'],
  [routed('match = "/"\nto = "orders"\ntimeout = "1m30s"'), 'a number and a unit'],
  [routed('match = "/"\nto = "orders"\ntimeout = "-5s"'), 'a number and a unit'],
  [routed('match = "/"\nto = "orders"\ntimeout = "99999999d"'), 'schema/range', 'at most `24d`'],
  [routed('match = "/"\nto = "orders"\ntimeout = "99999999999999999999d"'), 'is too large'],
  [routed('match = "/"\nto = "orders"\ntimeout = "${env:T}"'), 'reference/not-allowed'],
  [routed('match = "/"\nto = "orders"\nmax_body = 1024'), 'a number and a unit'],
  [routed('match = "/"\nto = "orders"\nmax_body = "99999999999GiB"'), 'is too large'],
  [serving('targets = ["http://127.0.0.1:1"]\nconnect_timeout = "0s"'), 'at least `1ms`'],
  [listening('"127.0.0.1:1"\nmax_header = "12B"'), 'at least `1KiB`'],
  ...['100/0min', '-1/s', '1.5/s', '100 / min', '100/fortnight', '100', '1e9/s'].map(
    (rate) =>
      [`${HEAD}[policy.p]\nuse = "rate-limit"\nlimit = "${rate}"\n`, 'a whole number, `/` and a period'] as const,
  ),
  [`${HEAD}[policy.p]\nuse = "rate-limit"\nlimit = "1/99999d"\n`, 'at most a year'],
  // matches
  [matching('""'), 'found an empty string'],
  [matching('" "'), 'Write `/` for the root'],
  [matching('"GET"'), 'Add a path after the method'],
  [matching('"GET,,POST /x"'), 'single commas'],
  [matching('"* /x"'), 'write none'],
  [matching('"ANY /x"'), 'write none'],
  [matching('"CONNECT /x"'), 'have no path'],
  [matching('"GET|POST /x"'), 'is not a valid method'],
  [matching('"orders"'), 'Write `/orders`'],
  [matching('"GET https://api.example.com/x"'), 'host = "..."'],
  [matching('"GET api.example.com/x"'), 'host = "..."'],
  [matching('["GET /a", "GET /b"]'), 'Required.'],
  [matching('{ path = "GET /x" }'), 'methods = ["GET"]'],
  [matching('{ path = "/x", methods = "GET" }'), 'Write a list'],
  [matching('{ path = "/x", methods = ["get"] }'), 'Write `GET`'],
  [matching('{ path = "/x", method = "GET" }'), 'Did you mean `methods`?'],
  [matching('"/x/*"'), 'path/foreign-syntax'],
  [matching('"GET /日本語/{x:integer}"'), '                       ^^^^^^^\n'],
  [matching('"/日本語/{名前}"'), 'not a valid parameter name'],
  [matching('{ path = "/x", headers = { a = 1, b = [] } }'), 'a string, `true` or `false`, or a table'],
  [matching('{ path = "/x", headers = { a = {} } }'), 'exactly one test'],
  [matching('{ path = "/x", headers = { a = { matches = "(" } } }'), 'Unmatched `(`', 'Use only literals'],
  ...['(', '(?=x)', '\\\\1', 'a**', 'x{2,1}', '.{0,500}', '.*a.{12}', '^a', '[[:alpha:]]', 'a{99999}'].map(
    (pattern) => [matching(`"/{x:${pattern}}"`), 'pattern/invalid', 'Use only literals'] as const,
  ),
  ...['*', 'a.*.b', '*.*.a', 'a:80', '[::1]:80', 'http://a', 'a/b', 'a..b', '-a.b', 'a,b'].map(
    (host) => [matching(`{ host = "${host}", path = "/x" }`), 'match/host'] as const,
  ),
  // addresses and URLs
  [listening('"8080"'), '`"127.0.0.1:8080"` only this machine'],
  [listening('"*:80"'), 'Leave the host empty'],
  [listening('""'), 'found an empty string'],
  ...['127.0.0.1', 'a:http', ':99999', '::1:80', '[zz]:80', '999.1.1.1:80', 'a b:80', 'http://a:80'].map(
    (address) => [listening(`"${address}"`), 'schema/format'] as const,
  ),
  [listening('"127.0.0.1:1"\ntrusted_proxies = ["banana"]'), '"10.0.0.0/8"'],
  [listening('"127.0.0.1:1"\ntrusted_proxies = ["10.0.0.0/99"]'), '"10.0.0.0/8"'],
  [listening('"127.0.0.1:1"\ntrusted_proxies = ["1.2.3.4/0"]'), 'listener/trusts-everyone'],
  [serving('targets = ["127.0.0.1:80"]'), 'Add the scheme: `"http://127.0.0.1:80"`'],
  [serving('targets = ["ftp://x"]'), '`http://` or `https://`'],
  [serving('targets = ["http://x/?q"]'), 'Remove the query'],
  [serving('targets = ["http://"]'), '`http://` or `https://`'],
  [serving('targets = ["${nope:X}", "${env:}", "${env:A"]'), 'is not a valid reference'],
  [routed('match = "/"\nto = "http://127.0.0.1:4000"'), 'in the `targets` of a service', '[service.NAME]'],
  // includes
  ['spec = 1\ninclude = 5\n', 'routes/*.toml'],
  ['spec = 1\ninclude = "\\u0000"\n', 'cannot contain a NUL'],
  ['spec = 1\ninclude = "http://example.com/x.toml"\n', 'no such file'],
  [`spec = 1\ninclude = "${'{a,b}'.repeat(30)}"\n`, 'include/too-many'],
  [`spec = 1\ninclude = "${'*'.repeat(3000)}x"\n`, 'include/nothing', '...`'],
  ['spec = 1\ninclude = "/dev/zero"\n', 'file/unreadable'],
  ['spec = 1\ninclude = "/proc/*/cwd"\n', 'include/nothing'],
  // allowed findings
  [`${HEAD}[lint]\nallow = ["service/unused"]\n`, 'reason = "'],
  [`${HEAD}[lint]\nallow = [{ code = "service/unused" }]\n`, 'Add `reason = "'],
];

test('over a hundred invalid specs get helpful messages', () => {
  assert.ok(SPECS.length > 100);
  for (const [text, ...answers] of SPECS) {
    const started = performance.now();
    const answer = outputOf(text);
    for (const wanted of answers) assert.match(answer, wanted, `${JSON.stringify(text)}\n${answer}`);
    assert.not.match(answer, /\n {4}at |\[object|undefined/);
    assert.ok(performance.now() - started < 3000, text);
  }
});

test('passwords and keys are never printed, even if another error shows their line', () => {
  const url = outputOf(serving('targets = ["http://u:hunter2@127.0.0.1", "nonsense"]'));
  const keys = outputOf(`${HEAD}[consumer.a]\napi_keys = ["letmein-please", "hunter2-too"]\n`);
  for (const answer of [url, keys]) assert.not.match(answer, /hunter2|letmein/);
});

test('an unknown plan is reported also for a consumer with another error', () => {
  assert.match(outputOf(`${HEAD}[consumer.a]\napi_keys = ["x"]\nplan = "none"\n`), 'Unknown plan `none`');
});

test('a suggestion that differs only in a number, or is one of two, is not a safe fix', () => {
  const fixOf = (declared: string, named: string): string | undefined => {
    const text = `${HEAD}${declared}${ROUTE.replace('"orders"', `"${named}"`)}`;
    const found = checkSpec({ path: '/nowhere/gateway.toml', text }).diagnostics;
    return found.find(({ code }) => code === 'name/unresolved')?.fix?.applicability;
  };
  const service = (name: string): string => `[service.${name}]\ntargets = ["http://127.0.0.1:9"]\n`;
  assert.is(fixOf('', 'order'), 'safe');
  assert.is(fixOf(service('users-v1'), 'users-v2'), 'unsafe');
  assert.is(fixOf(service('cart') + service('card'), 'carx'), 'unsafe');
  assert.is(fixOf(service('a'), 'b'), undefined);
});

test('a pipe without writer, a folder and a loop of links never block gw', () => {
  inFolder({ 'gateway.toml': 'spec = 1\ninclude = ["pipe", "folder", "loop"]\n' }, (folder) => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    mkdirSync(join(folder, 'folder'));
    symlinkSync('loop', join(folder, 'loop'));
    const started = performance.now();
    const { diagnostics } = checkSpec({ path: join(folder, 'gateway.toml') });
    const messages = diagnostics.map(({ message }) => message).join('\n');
    assert.match(messages, 'it is a pipe, not a regular file');
    assert.match(messages, 'it is a folder');
    assert.match(messages, 'symbolic links form a loop');
    assert.match(checkSpec({ path: folder }).diagnostics[0]!.message, 'it is a folder');
    assert.match(checkSpec({ path: join(folder, 'pipe') }).diagnostics[0]!.message, 'it is an empty pipe');
    assert.ok(performance.now() - started < 4000);
  });
});

test('a cycle of includes through symbolic links is reported', () => {
  inFolder({ 'gateway.toml': 'spec = 1\ninclude = "sub/again.toml"\n' }, (folder) => {
    mkdirSync(join(folder, 'sub'));
    symlinkSync('../gateway.toml', join(folder, 'sub', 'again.toml'));
    const codes = checkSpec({ path: join(folder, 'gateway.toml') }).diagnostics.map(({ code }) => code);
    assert.ok(codes.includes('include/cycle'), codes.join());
  });
});

test('a spec is read from a pipe with a slow writer', () => {
  inFolder({ 'part.toml': HEAD + ROUTE }, (folder) => {
    const lint = new URL('../../src/lint/index.js', import.meta.url).href;
    const script = `import { checkSpec } from '${lint}'; console.log(checkSpec({ path: '/dev/stdin' }).value?.routes.length)`;
    const command = `(sleep 0.1; cat part.toml) | "$1" --input-type=module -e "$2"`;
    const answer = execFileSync('sh', ['-c', command, 'sh', process.execPath, script], {
      cwd: folder,
      encoding: 'utf8',
    });
    assert.is(answer, '1\n');
  });
});

test.run();
