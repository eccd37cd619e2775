/** Each kind of fault has one exit code in every command; failures print text or JSON, also with --quiet. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runGw } from '../support/gw-process.js';
import { type GwOptions, inFolder, type Ran, gw as runHere } from './kit.js';

const GOOD = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[[route]]
name = "hello"
match = "GET /hello"
reply = { body = "hello" }
`;
const FILES = {
  'gateway.toml': GOOD,
  'bad.toml': 'spec = 2\n',
  'warns.toml': `${GOOD}[plan.gold]\n`,
  'damaged.bundle': 'GWB1 is not all',
  'x.pem': 'not a key',
};

interface FailureJson {
  readonly version: number;
  readonly error: {
    readonly kind: string;
    readonly exitCode: number;
    readonly message: string;
    readonly diagnostics?: readonly { readonly code: string; readonly span: { readonly file: string } }[];
  };
}

/** `gw serve` ends its process, so it runs in a separate one. */
async function gw(argv: readonly string[], options: GwOptions = {}): Promise<Ran> {
  if (argv[0] !== 'serve') return runHere(argv, options);
  const { code, out, err } = await runGw(argv, { cwd: options.cwd ?? '/' });
  return { code: code ?? -1, out, err };
}

/** Failing command lines by exit code. */
const FAILURES: Readonly<Record<number, readonly (readonly string[])[]>> = {
  1: [
    ['validate', 'missing.toml'],
    ['validate', 'bad.toml'],
    ['validate', 'folder'],
    ['validate', 'gateway.toml/x'],
    ['validate', '--deny-warnings', 'warns.toml'],
    ['compile', 'missing.toml'],
    ['compile', 'bad.toml'],
    ['compile', '-o', 'no/such/a.bundle'],
    ['compile', '-o', 'folder'],
    ['compile', '-o', 'gateway.toml'],
    ['compile', '--sign', 'missing.pem'],
    ['compile', '--sign', 'x.pem'],
    ['routes', 'missing.toml'],
    ['routes', 'folder'],
    ['routes', 'damaged.bundle'],
    ['explain', 'GET', '/', 'bad.toml'],
    ['explain', 'GET', '/', 'missing.toml'],
    ['inspect', 'missing.bundle'],
    ['inspect', 'folder'],
    ['inspect', 'gateway.toml'],
    ['inspect', 'damaged.bundle', '--verify', 'missing.pem'],
    ['serve', 'missing.toml'],
    ['serve', 'bad.toml'],
    ['serve', 'damaged.bundle'],
    ['init'],
    ['init', '--from', 'missing.yaml', 'new'],
    ['init', '--from', 'gateway.toml', 'new'],
    ['dash', '--once', '--address', '/no/such.sock'],
  ],
  2: [
    ['nonsense'],
    ['help', 'nonsense'],
    ['validate', '--nonsense'],
    ['validate', '--format', 'xml'],
    ['validate', '--explain', 'no/such-code'],
    ['validate', '--fix', '-'],
    ['compile', 'a', 'b'],
    ['compile', '-o'],
    ['compile', '-o', ''],
    ['routes', 'a', 'b'],
    ['explain', 'GET'],
    ['explain', 'GET', 'orders'],
    ['explain', 'GET', '/', '--client', 'nobody'],
    ['explain', 'GET', '/', '--listener', 'other'],
    ['explain', 'GET', '/', '-H', 'x'],
    ['inspect'],
    ['serve', '-'],
    ['serve', '--log', 'xml'],
    ['serve', '--verify', 'x.pem'],
    ['init', '--template', 'huge'],
    ['completion', 'tcsh'],
    ['dash', '--json'],
    ['version', 'extra'],
  ],
};

for (const [code, lines] of Object.entries(FAILURES)) {
  for (const argv of lines.filter((words) => !words.includes('--json'))) {
    test(`gw ${argv.join(' ')}: ${code}, in text`, () =>
      inFolder(FILES, async (cwd) => {
        mkdirSync(join(cwd, 'folder'));
        const ran = await gw([...argv, '--quiet'], { cwd, env: { GW_RUNTIME_DIR: join(cwd, 'run') } });
        assert.is(ran.code, Number(code), ran.err);
        // The report of `gw validate` is its result.
        assert.match(argv[0] === 'validate' ? ran.err + ran.out : ran.err, /\w/);
        assert.not.match(ran.err, 'bug in gw');
        assert.not.match(ran.err + ran.out, cwd, 'paths are relative to the working directory');
      }));
  }
}

const HAS_JSON = ['validate', 'compile', 'routes', 'explain', 'inspect', 'init', 'dash', 'version', 'nonsense'];

for (const [code, lines] of Object.entries(FAILURES)) {
  for (const argv of lines.filter(([name]) => HAS_JSON.includes(name!))) {
    test(`gw ${argv.join(' ')} --json: ${code}, one object on standard output`, () =>
      inFolder(FILES, async (cwd) => {
        mkdirSync(join(cwd, 'folder'));
        const flags = argv.includes('--json') ? [] : ['--json'];
        // If an option lacks its value, --json must not become that value.
        const { code: ended, out, err } = await gw([argv[0]!, ...flags, ...argv.slice(1)], { cwd });
        assert.is(ended, Number(code), err);
        assert.is(err, '');
        const answer = JSON.parse(out) as FailureJson & { readonly diagnostics?: unknown };
        assert.is(answer.version, 1);
        if (answer.diagnostics !== undefined) return;
        assert.is(answer.error.exitCode, ended);
        assert.is(answer.error.kind, ended === 2 ? 'usage' : 'failed');
        assert.match(answer.error.message, /\w/);
      }));
  }
}

test('--json of a spec with errors prints diagnostics with paths relative to the working directory', () =>
  inFolder({ 'deep/gateway.toml': 'spec = 2\n' }, async (cwd) => {
    const { error } = JSON.parse((await gw(['routes', 'deep', '--json'], { cwd })).out) as FailureJson;
    assert.is(error.kind, 'failed');
    assert.is(error.diagnostics?.[0]?.code, 'spec/version');
    assert.is(error.diagnostics?.[0]?.span.file, 'deep/gateway.toml');
  }));

test('- reads a spec from standard input; its includes are relative to the working directory', () =>
  inFolder(
    { 'parts/routes.toml': '[[route]]\nname = "part"\nmatch = "GET /part"\nreply.status = 204\n' },
    async (cwd) => {
      const stdin = GOOD.replace('spec = 1\n', 'spec = 1\ninclude = ["parts/routes.toml"]\n');
      assert.is((await gw(['validate', '-'], { cwd, stdin })).out, '<stdin>: 2 routes, 0 services, no problems\n');
      assert.match((await gw(['routes', '-'], { cwd, stdin })).out, /^part +GET \/part/m);
      assert.match((await gw(['explain', 'GET', '/part', '-'], { cwd, stdin })).out, 'parts/routes.toml:1');
      assert.match((await gw(['compile', '-'], { cwd, stdin })).out, /^gateway\.bundle: /);
    },
  ));

test('diagnostics call standard input <stdin>', () =>
  inFolder({}, async (cwd) => {
    const { code, out } = await gw(['validate', '-'], { cwd, stdin: `${GOOD}nonsense = 1\n` });
    assert.is(code, 1);
    assert.match(out, /--> <stdin>:8:1\n/);
    assert.match((await gw(['compile', '-'], { cwd, stdin: 'spec = 2\n' })).err, '--> <stdin>:1:8');
    assert.match((await gw(['validate', '-'], { cwd, stdin: Uint8Array.of(0xff, 0xfe, 0) })).out, 'file/not-text');
    const empty = await gw(['validate', '-'], { cwd });
    assert.is(empty.code, 1);
  }));

test('- reads a bundle from standard input', () =>
  inFolder({ 'gateway.toml': GOOD }, async (cwd) => {
    assert.is((await gw(['compile'], { cwd })).code, 0);
    const stdin = readFileSync(join(cwd, 'gateway.bundle'));
    assert.is((JSON.parse((await gw(['inspect', '-'], { cwd, stdin })).out) as { file: string }).file, '-');
    assert.match((await gw(['routes', '-'], { cwd, stdin })).out, 'GET /hello');
    const { code, err } = await gw(['inspect', '-'], { cwd, stdin: GOOD });
    assert.is(code, 1);
    assert.match(err, 'gw: <stdin>: ');
  }));

test('--quiet prints only results and errors', () =>
  inFolder(FILES, async (cwd) => {
    const silent = { code: 0, out: '', err: '' };
    assert.equal(await gw(['validate', '-q'], { cwd }), silent);
    assert.equal(await gw(['validate', 'warns.toml', '--quiet'], { cwd }), silent);
    assert.equal(await gw(['compile', '--quiet'], { cwd }), silent);
    assert.equal(await gw(['init', 'new', '--quiet', '--template', 'mock'], { cwd }), silent);
    const routes = await gw(['routes', '--filter', 'nothing', '-q'], { cwd });
    assert.is(routes.err, '');
    assert.match(routes.out, 'ROUTE');
    assert.match((await gw(['validate', 'warns.toml', '--quiet', '--deny-warnings'], { cwd })).out, 'plan/unused');
    assert.match((await gw(['validate', 'bad.toml', '--quiet'], { cwd })).out, 'spec/version');
  }));

test('compile without -o names the bundle after the spec, in the working directory', () =>
  inFolder({ 'shop/prod.toml': GOOD }, async (cwd) => {
    assert.match((await gw(['compile', 'shop/prod.toml'], { cwd })).out, /^prod\.bundle: \d+ bytes/);
    assert.is((await gw(['inspect', 'prod.bundle'], { cwd })).code, 0);
    assert.is((await gw(['compile', 'shop/prod.toml'], { cwd })).code, 0, 'a bundle is replaced');
  }));

test('compile replaces a file that is not a bundle only with --force', () =>
  inFolder({ 'gateway.toml': GOOD, 'gateway.bundle': 'my notes\n', 'empty.bundle': '' }, async (cwd) => {
    for (const argv of [['compile'], ['compile', '-o', 'gateway.bundle'], ['compile', '-o', 'gateway.toml']]) {
      const { code, err } = await gw(argv, { cwd });
      assert.is(code, 1);
      assert.match(err, 'exists and is not a bundle');
    }
    assert.is(readFileSync(join(cwd, 'gateway.bundle'), 'utf8'), 'my notes\n');
    assert.is(readFileSync(join(cwd, 'gateway.toml'), 'utf8'), GOOD);
    assert.is((await gw(['compile', '-o', 'empty.bundle'], { cwd })).code, 0, 'as mktemp makes it');
    assert.is((await gw(['compile', '--force'], { cwd })).code, 0);
    assert.is((await gw(['inspect', 'gateway.bundle'], { cwd })).code, 0);
  }));

test('validate --explain prints the page of a code', async () => {
  const { code, out } = await gw(['validate', '--explain', 'route/shadowed']);
  assert.is(code, 0);
  assert.match(out, /^route\/shadowed\n\nWarning\. A route never matches/);
  assert.match(out, '\n    [[route]]\n');
  assert.not.match(out, /```|\*\*/);
  assert.equal(
    out.split('\n').filter((line) => line.length > 80 && !line.startsWith('    ')),
    [],
  );
  const { page } = JSON.parse((await gw(['validate', '--explain', 'route/shadowed', '--json'])).out) as {
    page: string;
  };
  assert.is(page, readFileSync('docs/diagnostics/route/shadowed.md', 'utf8'));
});

test('validate --explain handles codes of the control plane and unknown codes', async () => {
  const bind = await gw(['validate', '--explain', 'listener/bind']);
  assert.is(bind.code, 0);
  assert.match(bind.out, /docs\/running\.md\n$/);
  const wrong = await gw(['validate', '--explain', 'route/shadow']);
  assert.is(wrong.code, 2);
  assert.match(wrong.err, 'There is no code `route/shadow`. Did you mean `route/shadowed`?');
});

test('a hint names the page of a code on a terminal, not in a pipe', () =>
  inFolder(FILES, async (cwd) => {
    const hint = 'For details: gw validate --explain spec/version';
    assert.match((await gw(['validate', 'bad.toml'], { cwd, tty: true })).err, hint);
    assert.is((await gw(['validate', 'bad.toml'], { cwd })).err, '');
  }));

test('gw version prints gw, Node and bundle format versions', async () => {
  const { out } = await gw(['version']);
  assert.match(out, /^gw \d+\.\d+\.\d+\nNode \d+\.\d+\.\d+\nbundle format \d+\n$/);
  const json = JSON.parse((await gw(['version', '--json'])).out) as Record<string, unknown>;
  assert.equal(Object.keys(json), ['version', 'gw', 'node', 'bundleFormat']);
  assert.is(json['node'], process.versions.node);
});

test('routes wraps its table at the terminal width, not in a pipe', async () => {
  const targets = Array.from({ length: 6 }, (_, index) => `"http://127.0.0.1:40${index}0"`).join(', ');
  const spec = `${GOOD}[service.a]\ntargets = [${targets}]\n[[route]]\nname = "${'long-'.repeat(12)}name"\nmatch = "GET /a/{x}"\nto = "a"\n`;
  await inFolder({ 'gateway.toml': spec }, async (cwd) => {
    for (const columns of [80, 120]) {
      const { out } = await gw(['routes'], { cwd, tty: true, columns, color: false });
      const lines = out.trimEnd().split('\n');
      assert.ok(
        lines.every((line) => line.length <= columns),
        out,
      );
      assert.ok(lines.length > 3, 'wrapped');
      assert.match(out.replace(/\s+/g, ''), 'http://127.0.0.1:4050)', 'nothing is lost');
    }
    assert.is((await gw(['routes'], { cwd })).out.trimEnd().split('\n').length, 3);
  });
});

test('diagnostics name a spec in another folder relative to the working directory', () =>
  inFolder({ 'a/gateway.toml': 'spec = 2\n', 'b/x': '' }, async (cwd) => {
    for (const command of ['compile', 'routes', 'serve']) {
      const { code, err } = await gw([command, '../a'], { cwd: join(cwd, 'b') });
      assert.is(code, 1);
      assert.match(err, '--> ../a/gateway.toml:1:8', command);
    }
    writeFileSync(join(cwd, 'a', 'gateway.toml'), GOOD);
    assert.match((await gw(['explain', 'GET', '/hello', 'a'], { cwd })).out, 'gateway.toml:4');
  }));

test.run();
