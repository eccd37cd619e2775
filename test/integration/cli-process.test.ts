/** Tests that need a process: exit codes, broken pipes, an old Node, links, a bundle that is served. */
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GW, runGw, runProgram, ServedGateway } from '../support/gw-process.js';
import { until } from '../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'gw-process-'));
const path = (name: string): string => join(folder, name);
const write = (name: string, text: string): string => {
  writeFileSync(path(name), text);
  return path(name);
};

test.after(() => rmSync(folder, { recursive: true, force: true }));

/** A module that node loads before gw. */
const preload = (name: string, code: string): string[] => ['--require', write(name, code)];

test('on an old Node gw says so and ends with 2', async () => {
  for (const version of ['8.17.0', '20.18.3']) {
    const old = preload('old.cjs', `Object.defineProperty(process, 'versions', { value: { node: '${version}' } });`);
    const { code, out, err } = await runProgram(process.execPath, [...old, GW, '--version']);
    assert.is(code, 2);
    assert.is(out, '');
    assert.match(err, `gw needs Node 20.19 or newer, and this is Node ${version}`);
  }
});

test('bin/gw.js holds no syntax that an old Node cannot parse', () => {
  const code = readFileSync('bin/gw.js', 'utf8').replace(/'[^'\n]*'|\/\/.*/g, '');
  assert.not.match(code, /=>|`|\b(const|let|import|export|class|async)\b|\?\.|\?\?|\.\.\./);
});

test('gw runs through a link, in another folder', async () => {
  symlinkSync(GW, path('linked-gw'));
  const { code, out } = await runProgram(path('linked-gw'), ['--version'], { cwd: folder });
  assert.is(code, 0);
  assert.match(out, /^\d+\.\d+\.\d+/);
});

/** The exit codes of a pipeline, and what it printed. */
function pipeline(script: string): { readonly out: string; readonly err: string } {
  const gw = `gw() { "${process.execPath}" "${GW}" "$@"; }`;
  const { stdout, stderr } = spawnSync('bash', ['-c', `${gw}; ${script}`], { encoding: 'utf8', cwd: folder });
  return { out: stdout, err: stderr };
}

test('explain says so when custom code never settles, or throws where nothing waits', async () => {
  const policy = (body: string): string =>
    `import { definePolicy } from 'gw/policy';\nexport default definePolicy({ summary: 'x', phase: 'guard', create: () => ({ before() { ${body} } }) });\n`;
  write('never.ts', policy('return new Promise(() => {});'));
  write('loose.ts', policy(`void Promise.reject(new Error('loose')); return undefined;`));
  for (const [name, message] of [
    ['never', /The request never ends/],
    ['loose', /Custom code of this spec throws in a promise/],
  ] as const) {
    const route = `[[route]]\nmatch = "/"\nreply = { body = "x" }\npolicies = [{ use = "./${name}.ts" }]\n`;
    write(`${name}.toml`, `spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n${route}`);
    const { code, err } = await runGw(['explain', 'GET', '/', `${name}.toml`], { cwd: folder });
    assert.is(code, 1, name);
    assert.match(err, message);
  }
});

test('a reader that has seen enough ends gw without an error message', () => {
  assert.equal(pipeline('gw schema | head -n 1; echo "${PIPESTATUS[0]}"'), { out: '{\n0\n', err: '' });
  assert.equal(pipeline('gw --version | true; echo "${PIPESTATUS[0]}"'), { out: '0\n', err: '' });
});

test('a reader that has seen enough does not change the exit code', () => {
  write('wrong.toml', 'spec = 2\n');
  assert.equal(pipeline('gw validate wrong.toml | true; echo "${PIPESTATUS[0]}"'), { out: '1\n', err: '' });
});

test('standard output that cannot be written to: 1, and the reason', () => {
  const full = pipeline('gw schema > /dev/full; echo "$?"');
  assert.equal(full, { out: '1\n', err: 'gw: Cannot write to standard output: disk full.\n' });
  assert.is(pipeline('gw --version > /dev/full; echo "$?"').out, '1\n');
});

test('a spec from a pipe', () => {
  write('piped.toml', REPLY_SPEC);
  assert.equal(pipeline('cat piped.toml | gw validate -'), {
    out: '<stdin>: 1 route, 0 services, no problems\n',
    err: '',
  });
});

test('a bundle through a pipe', () => {
  const { out, err } = pipeline('gw compile piped.toml -o - --quiet | gw inspect - | head -n 3');
  assert.is(err, '');
  assert.match(out, /"file": "-"/);
});

test('a bug in gw: 70, and the lines that a report needs', async () => {
  const broken = preload('broken.cjs', "JSON.stringify = () => { throw new RangeError('out of order'); };");
  const { code, out, err } = await runProgram(process.execPath, [...broken, GW, 'schema']);
  assert.is(code, 70);
  assert.is(out, '');
  assert.match(err, /^This is a bug in gw, not in your spec\. Please report it with these lines:\n\n {2}gw \d/);
  assert.match(err, 'RangeError: out of order');
  assert.match(err, 'command: gw schema');
});

test('an unhandled rejection: 70 too', async () => {
  const late = preload(
    'late.cjs',
    `const { stringify } = JSON;
    JSON.stringify = (...args) => { void Promise.reject(new Error('forgotten')); return stringify(...args); };`,
  );
  const { code, err } = await runProgram(process.execPath, [...late, GW, 'schema']);
  assert.is(code, 70);
  assert.match(err, 'Error: forgotten');
});

test('no colour when piped, colour with FORCE_COLOR', async () => {
  const plain = await runGw(['routes']);
  assert.not.match(plain.out, '\u001b');
  const forced = await runGw(['routes'], { env: { ...process.env, FORCE_COLOR: '1', NO_COLOR: undefined } });
  assert.match(forced.out, '\u001b[1mROUTE');
});

const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:0"
[[route]]
name = "hello"
match = "GET /hello"
reply = { body = "hello\\n" }
`;

test('gw serve runs a signed bundle, logs requests, and reloads it when it is replaced', async () => {
  const keys = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const home = path('bundle');
  mkdirSync(home);
  const spec = write('bundle/gateway.toml', SPEC);
  const key = write('key.pem', keys.privateKey);
  const verify = ['--verify', write('public.pem', keys.publicKey)];
  const bundle = join(home, 'gateway.bundle');
  const compile = (): Promise<{ code: number | null }> => runGw(['compile', spec, '-o', bundle, '--sign', key]);
  assert.is((await compile()).code, 0);
  const gateway = await ServedGateway.start([bundle, ...verify, '--access-log', 'access.log'], { cwd: home });
  try {
    assert.is(await (await fetch(`${gateway.url}/hello`)).text(), 'hello\n');
    await until(
      () => /"\/hello"/.test(readFileSync(join(home, 'access.log'), 'utf8')),
      'the request is in the access log',
    );
    write('bundle/gateway.toml', SPEC.replace('hello\\n', 'changed\\n'));
    await compile();
    await until(
      async () => (await (await fetch(`${gateway.url}/hello`)).text()) === 'changed\n',
      'the new bundle is live',
    );
  } finally {
    assert.is(await gateway.stop(), 0);
  }
});

test('gw serve refuses an unsigned bundle when a signature is asked for, and options that do not go together', async () => {
  const spec = write('plain.toml', SPEC);
  const { publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const verify = ['--verify', write('other.pem', publicKey)];
  const bundle = path('plain.bundle');
  assert.is((await runGw(['compile', spec, '-o', bundle])).code, 0);
  const unsigned = await runGw(['serve', bundle, ...verify]);
  assert.is(unsigned.code, 1);
  assert.match(unsigned.err, 'is not signed');
  assert.is((await runGw(['serve', spec, ...verify])).code, 2);
  assert.is((await runGw(['serve', bundle, '--overlay', spec])).code, 2);
  assert.is((await runGw(['serve', '--log', 'xml'])).code, 2);
});

test('gw serve of a broken spec: its diagnostics, 1', async () => {
  const { code, err } = await runGw(['serve', write('broken.toml', `${SPEC}to = "nowhere"\n`)]);
  assert.is(code, 1);
  assert.match(err, /error\[/);
});

const REPLY_SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:0"
[[route]]
name = "hello"
match = "GET /hello"
reply = { status = 200, body = "hello" }
`;

test('gw serve outlives the reader of its log', async () => {
  const spec = write('outlives.toml', REPLY_SPEC);
  const child = spawn(process.execPath, [GW, 'serve', spec, '--no-watch', '--log', 'json'], {
    env: { ...process.env, GW_RUNTIME_DIR: path('outlives-run') },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    const url = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += String(chunk);
        const found = /serving .*?(http:\/\/[\d.]+:\d+)/.exec(text);
        if (found?.[1]) resolve(found[1]);
      });
      child.once('exit', () => reject(new Error(`It ended: ${text}`)));
    });
    child.stdout.destroy();
    for (const word of ['one', 'two', 'three']) {
      write('outlives.toml', REPLY_SPEC.replace('"hello" }', `"${word}" }`));
      // The reload writes a line without a reader.
      child.kill('SIGHUP');
      const hello = async (): Promise<string> =>
        (await fetch(`${url}/hello`, { headers: { connection: 'close' } })).text();
      await until(async () => (await hello()) === word, 'the reload');
    }
    child.kill('SIGTERM');
    assert.is(await ended, 0);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a bug in gw while a gateway starts: 70, not 1', async () => {
  const broken = preload(
    'no-spawn.cjs',
    `require('node:child_process').spawn = () => { throw new RangeError('out of order'); };
    require('node:module').syncBuiltinESMExports();`,
  );
  const managed = REPLY_SPEC.replace('reply = { status = 200, body = "hello" }', 'to = "shop"');
  const spec = write('bug.toml', `${managed}[service.shop]\nrun = { command = "node app.js", port_env = "PORT" }\n`);
  const { code, err } = await runProgram(process.execPath, [...broken, GW, 'serve', spec]);
  assert.is(code, 70, err);
  assert.match(err, 'This is a bug in gw, not in your spec.');
  assert.match(err, 'RangeError: out of order');
});

test('gw serve --dev orders certificates from the staging directory', async () => {
  const asked: string[] = [];
  const authority = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(500).end();
  });
  await new Promise<void>((resolve) => authority.listen(0, '127.0.0.1', resolve));
  const at = `http://127.0.0.1:${(authority.address() as AddressInfo).port}`;
  mkdirSync(path('staged'));
  write(
    'staged/gateway.toml',
    `spec = 1
[acme]
accept_terms = true
directory = "${at}/production"
staging = "${at}/staging"
[listener.main]
address = "127.0.0.1:0"
tls = "acme"
[state]
path = "state"
[[route]]
name = "hello"
match = { host = "a.example", path = "/" }
reply = { body = "hello" }
`,
  );
  const gateway = await ServedGateway.start(['--dev'], { cwd: path('staged') });
  try {
    await until(() => asked.length > 0, 'a request to the authority');
    assert.equal([...new Set(asked)], ['/staging']);
  } finally {
    assert.is(await gateway.stop(), 0);
    authority.close();
  }
});

test.run();
