/** `gw validate` on valid, invalid and hostile files. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ValidateOptions, validate } from '../../src/lint/validate.js';
import { HEAD, ORDERS, route } from './kit.js';

const GOOD = HEAD + ORDERS + route('GET /orders');

function inFolder(files: Readonly<Record<string, string | Uint8Array>>, use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'gw-lint-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const run = (folder: string, more: Partial<ValidateOptions> = {}) =>
  validate({ specs: [join(folder, 'gateway.toml')], format: 'pretty', color: false, cwd: folder, ...more });

test('a valid spec gives one summary line', () => {
  inFolder({ 'gateway.toml': GOOD }, (folder) => {
    assert.equal(run(folder), {
      output: 'gateway.toml: 1 route, 1 service, no problems\n',
      passed: true,
      notes: [],
      failures: [],
      codes: [],
    });
    assert.is(JSON.parse(run(folder, { format: 'json' }).output).diagnostics.length, 0);
    assert.match(run(folder, { format: 'junit' }).output, '<testcase classname="gateway.toml" name="no problems"/>');
  });
});

test('warnings pass unless denied', () => {
  inFolder({ 'gateway.toml': `${GOOD}[plan.gold]\n` }, (folder) => {
    assert.ok(run(folder).passed);
    assert.not.ok(run(folder, { denyWarnings: true }).passed);
  });
});

test('several specs: each is reported by its path, a shared include once', () => {
  const shared = 'include = "../shared.toml"\n';
  const files = {
    'a/gateway.toml': `spec = 1\n${shared}${GOOD.slice('spec = 1\n'.length)}`,
    'b/gateway.toml': `spec = 1\n${shared}${GOOD.slice('spec = 1\n'.length)}`,
    'shared.toml': '[plan.gold]\n',
    'c/gateway.toml': GOOD,
  };
  inFolder(files, (folder) => {
    const specs = ['a', 'b', 'c'].map((name) => join(folder, name, 'gateway.toml'));
    const { output } = run(folder, { specs });
    assert.match(output, /^c\/gateway\.toml: 1 route/);
    assert.is(output.match(/--> shared\.toml:1:7/g)?.length, 1);
    assert.match(output, /\n1 warning\n$/);
  });
});

test('errors in overlays are reported with the path of the overlay', () => {
  inFolder({ 'gateway.toml': GOOD, 'prod/over.toml': '[service.orders]\nretires = 1\n' }, (folder) => {
    const { output } = run(folder, { overlays: [join(folder, 'prod/over.toml')] });
    assert.match(output, '--> prod/over.toml:2:1');
  });
});

test('--fix applies safe fixes, reports them, and checks the result', () => {
  const bad = GOOD.replace('[service.orders]', '[service.orders]\nretires = 2').replace(
    'to = "orders"',
    'to = "order"',
  );
  inFolder({ 'gateway.toml': `# Größe 日本\n${bad}` }, (folder) => {
    const { output, passed, notes } = run(folder, { fix: true });
    assert.ok(passed, output);
    assert.equal(notes, ['Fixed 2 problems in gateway.toml.']);
    const fixed = readFileSync(join(folder, 'gateway.toml'), 'utf8');
    assert.match(fixed, '# Größe 日本\n');
    assert.match(fixed, 'retries = 2');
    assert.match(fixed, 'to = "orders"');
  });
});

test('--fix keeps the byte order mark, line endings and file mode', () => {
  const bad = `\ufeff${GOOD.replace('targets', 'targtes')}`.replaceAll('\n', '\r\n');
  inFolder({ 'gateway.toml': bad }, (folder) => {
    const path = join(folder, 'gateway.toml');
    chmodSync(path, 0o640);
    run(folder, { fix: true });
    assert.is(readFileSync(path, 'utf8'), bad.replace('targtes', 'targets'));
    assert.is(statSync(path).mode & 0o777, 0o640);
  });
});

test('--fix fixes included files too, and does not change a valid spec', () => {
  inFolder(
    { 'gateway.toml': `include = "routes.toml"\n${GOOD}`, 'routes.toml': route('GET /b', 'ot = "orders"') },
    (folder) => {
      assert.equal(run(folder, { fix: true }).notes, ['Fixed 1 problem in routes.toml.']);
      assert.match(readFileSync(join(folder, 'routes.toml'), 'utf8'), 'to = "orders"');
      assert.equal(run(folder, { fix: true }).notes, []);
    },
  );
});

test('a fix that cannot be written is reported as a failure', () => {
  const bad = `${GOOD.replace('[service.orders]', '[service.orders]\nretries = 1')}policies = ["keys", "keys"]\n[policy.keys]\nuse = "api-key"\n`;
  inFolder({ 'part.toml': bad }, (folder) => {
    const validateJs = new URL('../../src/lint/validate.js', import.meta.url).href;
    const script = `import { validate } from '${validateJs}';
      const { passed, failures } = validate({ specs: ['/dev/stdin'], format: 'pretty', color: false, cwd: '/', fix: true });
      console.log(JSON.stringify({ passed, failures }));`;
    const answer = execFileSync(
      'sh',
      ['-c', 'cat part.toml | "$1" --input-type=module -e "$2"', 'sh', process.execPath, script],
      {
        cwd: folder,
        encoding: 'utf8',
      },
    );
    assert.equal(JSON.parse(answer), {
      passed: false,
      failures: ['stdin cannot be fixed: it is not a regular file.'],
    });
  });
});

test('hostile files give diagnostics, never a throw', () => {
  const deep = `a = ${'['.repeat(100_000)}${']'.repeat(100_000)}\n`;
  const hostile: Readonly<Record<string, string | Uint8Array>> = {
    empty: '',
    junk: Uint8Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256),
    zeros: new Uint8Array(1000),
    deep,
    'deep tables': `[${'a.'.repeat(20_000)}a]\n`,
    'inline tables': `a = ${'{a='.repeat(5000)}1${'}'.repeat(5000)}\n`,
    'one long line': `name = "${'x'.repeat(5_000_000)}\n`,
    'open string': 'a = """',
    prototype: 'spec = 1\n[service.__proto__]\ntargets = ["http://127.0.0.1:1"]\n[constructor]\nx = 1\n',
    'lone surrogate': 'a = "\\ud800"\n',
  };
  for (const [name, content] of Object.entries(hostile)) {
    inFolder({ 'gateway.toml': content }, (folder) => {
      for (const format of ['pretty', 'json', 'sarif', 'github', 'junit'] as const) {
        const { output } = run(folder, { format });
        assert.ok(output.length > 0, name);
        assert.ok(output.length < 200_000, `${name}: ${output.length} characters`);
        assert.not.match(output, /\n\s+at .*\(/);
      }
      assert.not.ok(run(folder).passed, name);
    });
  }
});

test('a folder, a missing file, a symbolic link loop and an unreadable file are reported', () => {
  inFolder({}, (folder) => {
    assert.match(run(folder).output, 'no such file');
    mkdirSync(join(folder, 'gateway.toml'));
    assert.match(run(folder).output, 'it is a folder');
    rmSync(join(folder, 'gateway.toml'), { recursive: true });
    symlinkSync('gateway.toml', join(folder, 'gateway.toml'));
    assert.match(run(folder).output, 'form a loop');
    rmSync(join(folder, 'gateway.toml'));
    writeFileSync(join(folder, 'gateway.toml'), GOOD);
    chmodSync(join(folder, 'gateway.toml'), 0);
    // Root can read every file.
    if (process.getuid?.() !== 0) assert.match(run(folder).output, 'permission denied');
  });
});

test('mutated specs never make validate throw', () => {
  let state = 12_345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const source = readFileSync('fixtures/diagnostics/plan--zero-limit/gateway.toml', 'utf8');
  const pieces = [
    '"',
    '[',
    ']',
    '{',
    '}',
    '=',
    '\n',
    '.',
    ',',
    '\\',
    '{id}',
    '${env:X}',
    '\u0000',
    '[[route]]',
    '1',
    'é',
    '/',
  ];
  inFolder({}, (folder) => {
    for (let round = 0; round < 400; round++) {
      let text = source;
      for (let edits = 1 + random(4); edits > 0; edits--) {
        const at = random(text.length);
        text = text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(6));
      }
      writeFileSync(join(folder, 'gateway.toml'), text);
      const { output } = run(folder, { fix: round % 2 === 0 });
      assert.not.match(output, /undefined|\[object|NaN/, text);
    }
  });
});

test.run();
