import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeFiles } from '../../src/cli/init/write.js';
import { checkSpec } from '../../src/lint/index.js';
import { onlyWhere } from '../support/only-where.js';
import { gw, inFolder } from './kit.js';

const TEMPLATES = ['minimal', 'services', 'mock', 'openapi'];
const WRITTEN = ['.github', '.gitignore', 'gateway.schema.json', 'gateway.test.mjs', 'gateway.toml'];

const MORE: Readonly<Record<string, string[]>> = { services: ['demo'], openapi: ['demo', 'openapi.yaml'] };

const read = (folder: string, path: string): string => readFileSync(join(folder, path), 'utf8');

for (const template of TEMPLATES) {
  test(`--template ${template} writes a spec without diagnostics`, () =>
    inFolder({}, async (cwd) => {
      const { code, out, err } = await gw(['init', 'shop', '--template', template], { cwd });
      assert.is(code, 0, err);
      const folder = join(cwd, 'shop');
      const { value, diagnostics } = checkSpec({ path: join(folder, 'gateway.toml') });
      assert.equal(diagnostics, []);
      assert.ok(value && value.routes.length > 0);
      assert.match(read(folder, 'gateway.toml'), /^#:schema \.\/gateway\.schema\.json\n/);
      assert.is((await gw(['schema'])).out, read(folder, 'gateway.schema.json'));
      assert.equal(readdirSync(folder).sort(), [...WRITTEN, ...(MORE[template] ?? [])].sort());
      assert.match(read(folder, '.github/workflows/gateway.yml'), 'gw validate --format github');
      assert.match(out, /Next:\n {2}cd shop\n {2}\S.* validate /);
    }));
}

test('init without a template writes the minimal one into the current folder', () =>
  inFolder({}, async (cwd) => {
    const { code, out } = await gw(['init'], { cwd });
    assert.is(code, 0);
    assert.equal(readdirSync(cwd).sort(), WRITTEN);
    assert.not.match(out, '\n  cd ');
  }));

test('--port sets the listener port, which no target uses', () =>
  inFolder({}, async (cwd) => {
    for (const template of TEMPLATES) {
      const { code, out } = await gw(['init', template, '-t', template, '--port', '3000'], { cwd });
      assert.is(code, 0);
      assert.match(out, 'curl -i http://127.0.0.1:3000/');
      const spec = read(join(cwd, template), 'gateway.toml');
      assert.match(spec, /^address = "127\.0\.0\.1:3000"$/m);
      assert.not.match(spec, 'http://127.0.0.1:3000');
    }
  }));

test('--port rejects an invalid port and the port of an imported service', () =>
  inFolder({ 'api.yaml': read('templates/openapi', 'openapi.yaml') }, async (cwd) => {
    for (const port of ['0', '65536', '80a', '-1', '']) {
      const { code, err } = await gw(['init', `--port=${port}`], { cwd });
      assert.is(code, 2);
      assert.match(err, 'A port is a number from 1 to 65535.');
    }
    const { code, err } = await gw(['init', '--from', 'api.yaml', '--port', '3000'], { cwd });
    assert.is(code, 2);
    assert.match(err, 'so the gateway would call itself');
    assert.is((await gw(['init', '--from', 'api.yaml', '--port', '3001'], { cwd })).code, 0);
  }));

test('init warns about a port in use', () =>
  inFolder({}, async (cwd) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, out } = await gw(['init', '--port', `${port}`], { cwd });
    server.close();
    assert.is(code, 0);
    assert.match(out, `warning: gw cannot listen at 127.0.0.1:${port} now: address already in use`);
  }));

test('--no-ci writes no workflow', () =>
  inFolder({}, async (cwd) => {
    assert.is((await gw(['init', '--no-ci'], { cwd })).code, 0);
    assert.not.ok(existsSync(join(cwd, '.github')));
  }));

test('in a subfolder of a repository, the workflow names the folder and a note says where GitHub reads it', () =>
  inFolder({ '.git/HEAD': '' }, async (cwd) => {
    const { out } = await gw(['init', 'edge/shop'], { cwd });
    const workflow = read(join(cwd, 'edge/shop'), '.github/workflows/gateway.yml');
    assert.match(workflow, '        working-directory: "edge/shop"\n    steps:');
    assert.match(out, 'note: GitHub reads workflows only');
    const root = await gw(['init'], { cwd });
    assert.not.match(root.out, 'note: ');
    assert.not.match(read(cwd, '.github/workflows/gateway.yml'), 'working-directory');
  }));

test('template services: the spec contains the hash of a new key, which is printed once', () =>
  inFolder({}, async (cwd) => {
    const keys = new Set<string>();
    for (const name of ['a', 'b']) {
      const { out } = await gw(['init', name, '--template', 'services', '--json'], { cwd });
      const { version, apiKey } = JSON.parse(out) as { version: number; apiKey: string };
      assert.is(version, 1);
      keys.add(apiKey);
      const spec = read(join(cwd, name), 'gateway.toml');
      assert.match(spec, createHash('sha256').update(apiKey).digest('hex'));
      assert.not.match(spec, apiKey);
    }
    assert.is(keys.size, 2);
  }));

test('existing files are listed, and nothing is written', () =>
  inFolder({ 'gateway.toml': 'mine', 'gateway.test.mjs': 'mine' }, async (cwd) => {
    const { code, err } = await gw(['init'], { cwd });
    assert.is(code, 1);
    assert.match(err, /\n {2}gateway\.toml\n {2}gateway\.test\.mjs\nAdd --force/);
    assert.equal(readdirSync(cwd).sort(), ['gateway.test.mjs', 'gateway.toml']);
    assert.is(read(cwd, 'gateway.toml'), 'mine');
  }));

test('a dangling symbolic link counts as an existing file', () =>
  inFolder({}, async (cwd) => {
    symlinkSync('nowhere', join(cwd, 'gateway.toml'));
    assert.is((await gw(['init'], { cwd })).code, 1);
  }));

test('--force overwrites existing files', () =>
  inFolder({ 'gateway.toml': 'mine' }, async (cwd) => {
    const { code, out } = await gw(['init', '--force'], { cwd });
    assert.is(code, 0);
    assert.match(out, 'replaced  gateway.toml');
    assert.match(read(cwd, 'gateway.toml'), 'spec = 1');
  }));

test('missing lines are added once to an existing .gitignore', () =>
  inFolder({ '.gitignore': 'dist/\n.env' }, async (cwd) => {
    const first = await gw(['init'], { cwd });
    assert.match(first.out, 'extended  .gitignore');
    assert.is(read(cwd, '.gitignore'), 'dist/\n.env\n*.bundle\n*.pem\n.env.*\n');
    const second = await gw(['init', '--force'], { cwd });
    assert.match(second.out, 'unchanged .gitignore');
    assert.is(read(cwd, '.gitignore'), 'dist/\n.env\n*.bundle\n*.pem\n.env.*\n');
  }));

test('--from imports services, routes and parameters, and lists what it could not keep', () => {
  const document = {
    openapi: '3.0.0',
    info: { title: 'Files', version: '2' },
    servers: [{ url: 'https://files.example.com/v2' }],
    paths: { '/files/{name}.json': { get: { operationId: 'getFile' } }, '/ping': { get: { operationId: 'ping' } } },
  };
  return inFolder({ 'api/openapi.json': JSON.stringify(document) }, async (cwd) => {
    const { code, out } = await gw(['init', '--from', 'api/openapi.json'], { cwd });
    assert.is(code, 0);
    assert.match(out, 'note: `/files/{name}.json`');
    const { value, diagnostics } = checkSpec({ path: join(cwd, 'gateway.toml') });
    assert.equal(diagnostics, []);
    assert.equal(
      value?.routes.map((route) => route.name),
      ['getFile', 'ping'],
    );
    assert.match(read(cwd, 'gateway.test.mjs'), "{ request: 'GET /ping', route: 'ping' }");
    assert.not.ok(existsSync(join(cwd, 'openapi.json')));
  });
});

test('a long list of notes is shortened', () => {
  const paths = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`/f${index}/{x}.json`, { get: {} }]));
  const document = { openapi: '3.1.0', info: { title: '?' }, paths };
  return inFolder({ 'api.json': JSON.stringify(document) }, async (cwd) => {
    const { out } = await gw(['init', '--from', 'api.json'], { cwd });
    assert.match(
      out,
      /^note: 30 path segments .*: \/f0\/\{x\}\.json, .* and 27 more\. Comments in the spec mark each of them\.$/m,
    );
    for (let index = 0; index < 30; index++) assert.match(read(cwd, 'gateway.toml'), `# /f${index}/{x}.json: `);
  });
});

test('text from a document is printed without control characters and quoted for the shell', () => {
  const document = {
    openapi: '3.0.0',
    info: { title: 'x' },
    paths: {
      '/a': { get: { operationId: 'a\u001b[2Jb', security: [{ 'k\u001b': [] }] } },
      '/b': { get: { security: [{ q: [] }] } },
    },
    components: { securitySchemes: { q: { type: 'apiKey', in: 'header', name: "x-it's" } } },
  };
  return inFolder({ 'api.json': JSON.stringify(document) }, async (cwd) => {
    const { code, out } = await gw(['init', '--from', 'api.json'], { cwd });
    assert.is(code, 0);
    assert.not.match(out, '\u001b');
    assert.match(out, 'which gw cannot check');
    delete (document.paths as { '/a'?: unknown })['/a'];
    writeFileSync(join(cwd, 'api.json'), JSON.stringify(document));
    const second = await gw(['init', '--from', 'api.json', '--force'], { cwd });
    assert.match(second.out, `curl -i -H 'x-it'\\''s: gw_`);
  });
});

test('--from with another template, a missing document, and an unknown template are errors', () =>
  inFolder({ 'a.json': '{}' }, async (cwd) => {
    assert.is((await gw(['init', '--from', 'a.json', '--template', 'mock'], { cwd })).code, 2);
    const missing = await gw(['init', '--from', 'b.json'], { cwd });
    assert.is(missing.code, 1);
    assert.match(missing.err, 'Cannot read b.json: no such file.');
    assert.is((await gw(['init', '--template', 'huge'], { cwd })).code, 2);
    assert.equal(readdirSync(cwd), ['a.json']);
  }));

test('an invalid document is rejected, and nothing is written', () =>
  inFolder({ 'a.json': '{"swagger": "2.0"}' }, async (cwd) => {
    const { code, err } = await gw(['init', '--from', 'a.json'], { cwd });
    assert.is(code, 1);
    assert.match(err, 'Swagger 2.0');
    assert.equal(readdirSync(cwd), ['a.json']);
  }));

test('a file in place of the folder is an error without a stack trace', () =>
  inFolder({ file: '' }, async (cwd) => {
    const { code, err } = await gw(['init', 'file/below'], { cwd });
    assert.is(code, 1);
    assert.match(err, /^gw: Cannot write to .*: a part of the path is not a folder\.$/m);
  }));

test('if one file cannot be written, none is', () =>
  inFolder({}, async (cwd) => {
    mkdirSync(join(cwd, 'sub'));
    writeFileSync(join(cwd, 'sub', 'blocked'), 'a file where a folder must be');
    const files = [
      { path: 'first', content: '1' },
      { path: 'sub/blocked/second', content: '2' },
    ];
    assert.throws(() => writeFiles(cwd, files, false), /Cannot write to/);
    assert.equal(readdirSync(cwd), ['sub']);
    assert.equal(readdirSync(join(cwd, 'sub')), ['blocked']);
  }));

const asUser = onlyWhere(process.getuid?.() !== 0, 'the superuser may write anywhere', test);
asUser('a folder that may not be written to', () =>
  inFolder({}, async (cwd) => {
    chmodSync(cwd, 0o500);
    assert.is((await gw(['init'], { cwd })).code, 1);
  }),
);

test.run();
