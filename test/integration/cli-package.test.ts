/** What `npm pack` makes, installed without a network: gw works from any folder, with its production dependencies alone. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Finished, runProgram } from '../support/gw-process.js';

const ROOT = process.cwd();
const folder = mkdtempSync(join(tmpdir(), 'gw-pack-'));
const modules = join(folder, 'app', 'node_modules');
const bin = join(modules, '.bin', 'gw');
let packed: string[] = [];

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

async function must(command: string, args: readonly string[], cwd = ROOT): Promise<string> {
  const { code, out, err } = await runProgram(command, args, { cwd, timeout: 120_000 });
  assert.is(code, 0, `${command} ${args.join(' ')}\n${out}${err}`);
  return out;
}

/** As npm lays packages out, with links for what it would download: nothing that only development needs. */
function installDependencies(): void {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  for (const [path, entry] of Object.entries(lock.packages)) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
    if (name === undefined || entry.dev || entry.optional) continue;
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, path), join(modules, name));
  }
}

const gw = (args: readonly string[], cwd: string): Promise<Finished> => runProgram(bin, args, { cwd });

test.before(async () => {
  mkdirSync(join(modules, 'gw'), { recursive: true });
  mkdirSync(join(modules, '.bin'));
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const [result] = JSON.parse(await must('npm', pack)) as { filename: string; files: { path: string }[] }[];
  assert.ok(result);
  packed = result.files.map(({ path }) => path);
  await must('tar', ['-xzf', join(folder, result.filename), '-C', join(modules, 'gw'), '--strip-components', '1']);
  symlinkSync('../gw/bin/gw.js', bin);
  installDependencies();
});

test.after(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('the package holds what it needs and nothing else', () => {
  for (const file of [
    'bin/gw.js',
    'bin/package.json',
    'dist/src/cli/main.js',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
  ]) {
    assert.ok(packed.includes(file), file);
  }
  for (const file of ['templates/minimal/gateway.toml', 'templates/shared/gitignore', 'docs/reference.md']) {
    assert.ok(packed.includes(file), file);
  }
  assert.equal(
    packed.filter((file) =>
      /^(src|test|bench|scripts|fixtures|dist\/(test|bench))\/|tsbuildinfo|node_modules|\.map$/.test(file),
    ),
    [],
  );
});

test('gw --version from another folder, through the link that npm makes', async () => {
  assert.equal(await gw(['--version'], folder), { code: 0, out: `${version}\n`, err: '' });
});

test('gw validate --explain prints a page of the package', async () => {
  const { code, out } = await gw(['validate', '--explain', 'route/shadowed'], folder);
  assert.is(code, 0);
  assert.match(out, /^route\/shadowed\n/);
});

// `openapi` uses the most packages; the next test needs the spec of `services`.
test('gw init, validate, routes, compile, and the test that it wrote', async () => {
  assert.is((await gw(['init', 'services', '--template', 'services'], folder)).code, 0);
  const template = 'openapi';
  const init = await gw(['init', template, '--template', template], folder);
  assert.is(init.code, 0, init.err);
  const spec = join(folder, template);
  // Without this Node takes itself for the child of a test runner.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, GW: bin };
  const [validate, routes, compile, { code, out }] = await Promise.all([
    gw(['validate', '--deny-warnings'], spec),
    gw(['routes'], spec),
    gw(['compile', '-o', 'gateway.bundle'], spec),
    runProgram(process.execPath, ['--test', '--test-reporter=tap'], { cwd: spec, env }),
  ]);
  assert.is(validate.code, 0, validate.out);
  assert.is(routes.code, 0, routes.err);
  assert.is(compile.code, 0, compile.err);
  assert.is(code, 0, out);
  assert.match(out, /# pass [1-9]/);
});

test('the package is a library too', async () => {
  const script = `
    import { checkSpec, compile } from 'gw';
    const { value, diagnostics } = checkSpec({ path: '../services/gateway.toml' });
    console.log(diagnostics.length, compile(value).bundle.program.routes.length);
  `;
  const out = await must(process.execPath, ['--input-type=module', '-e', script], join(folder, 'app'));
  assert.is(out, '0 5\n');
});

test.run();
