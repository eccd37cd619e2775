import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ONE_INSTANCE as instances, type PolicyEntry, type Program } from '../../../src/bundle/types.js';
import { resolveProgram, runsOf } from '../../../src/control/references/resolve.js';
import { Reads } from '../../../src/control/watch/reads.js';
import { listenerPlan, programWith, servicePlan } from '../../support/programs.js';
import { removeFolders, temporaryFolder } from '../kit.js';

test.after(removeFolders);

const folder = temporaryFolder();
writeFileSync(join(folder, 'token'), 'from-a-file\n');
const [CERT, KEY] = ['tls-cert.pem', 'tls-key.pem'].map((name) =>
  readFileSync(new URL(`../../../../test/integration/fixtures/${name}`, import.meta.url), 'utf8'),
) as [string, string];
writeFileSync(join(folder, 'cert.pem'), CERT);

const policy = (settings: PolicyEntry['settings']): PolicyEntry => ({
  use: 'headers',
  name: 'p',
  phase: 'transform',
  identity: 'id',
  settings,
  config: {},
  origins: {},
});

function resolve(program: Program, env: Record<string, string> = {}, text = '') {
  const reads = new Reads();
  const written = { files: [{ path: 'gateway.toml', text }], fallback: 'gateway.toml' };
  return {
    ...resolveProgram(
      program,
      { root: folder, env, reads, secrets: { find: () => ({ problem: 'no Vault' }) } },
      written,
    ),
    files: [...reads.files.keys()],
  };
}

test('references resolve to variables and file contents; the files are returned for watching', () => {
  const { program, diagnostics, files } = resolve(
    programWith({
      admin: { address: '127.0.0.1:9', token: { $ref: '${file:token}' } },
      services: [servicePlan('s', { targets: [{ url: { $ref: 'http://${env:HOST}:80' }, weight: 1 }] })],
    }),
    { HOST: 'a.internal' },
  );
  assert.equal(diagnostics, []);
  assert.is(program.admin.token, 'from-a-file');
  assert.is(program.services[0]?.targets[0]?.url, 'http://a.internal:80');
  assert.equal(files, [join(folder, 'token')]);
});

test('a missing reference is reported at every place of use', () => {
  const text = 'a = "${env:NO}"\nb = "x ${env:NO}"\nc = "${file:none}"\n';
  const { diagnostics } = resolve(
    programWith({ policies: [policy([{ $ref: '${env:NO}' }, { $ref: 'x ${env:NO}' }, { $ref: '${file:none}' }])] }),
    {},
    text,
  );
  assert.equal(
    diagnostics.map(
      ({ code, span }) => `${code} ${span.file}:${span.start.line}:${span.start.column}-${span.end.column}`,
    ),
    [
      'reference/unresolved gateway.toml:1:6-15',
      'reference/unresolved gateway.toml:2:8-17',
      'reference/unresolved gateway.toml:3:6-18',
    ],
  );
  assert.match(diagnostics[0]?.message ?? '', 'no variable `NO`');
  assert.match(diagnostics[2]?.message ?? '', 'no such file');
});

test('a default replaces a missing or empty value in every place', () => {
  const found = (env: Record<string, string>) =>
    resolve(
      programWith({
        listeners: [listenerPlan('main', { address: { $ref: '127.0.0.1:${env:PORT:-8080}' } })],
        admin: { address: '127.0.0.1:9', token: { $ref: '${file:gone:-t0ken}' } },
        policies: [policy([{ $ref: '${env:A:-}' }, { $ref: '$${env:A} ${env:B:-b}' }])],
      }),
      env,
    );
  const missing = found({ B: '' });
  assert.equal(missing.diagnostics, []);
  assert.is(missing.program.listeners[0]?.address, '127.0.0.1:8080');
  assert.is(missing.program.admin.token, 't0ken');
  assert.equal(missing.program.policies[0]?.settings, ['', '${env:A} b']);
  // A missing file is watched too, because it may be created.
  assert.equal(missing.files, [join(folder, 'gone')]);
  const set = found({ PORT: '81', A: 'a', B: 'x' });
  assert.is(set.program.listeners[0]?.address, '127.0.0.1:81');
  assert.equal(set.program.policies[0]?.settings, ['a', '${env:A} x']);
});

test('a default does not hide an unreadable file or an invalid value', () => {
  const folderAsFile = resolve(programWith({ policies: [policy({ $ref: '${file:.:-x}' })] }));
  assert.match(folderAsFile.diagnostics[0]?.message ?? '', 'it is a folder');
  const misfit = resolve(
    programWith({ listeners: [listenerPlan('main', { address: { $ref: '127.0.0.1:${env:PORT:-8080}' } })] }),
    { PORT: 'http' },
    'address = "127.0.0.1:${env:PORT:-8080}"',
  );
  assert.is(misfit.diagnostics[0]?.code, 'reference/invalid');
  assert.is(misfit.diagnostics[0]?.span.start.column, 12);
});

test('a folder in place of a file is an error; a bundle has no source location', () => {
  const { diagnostics } = resolve(programWith({ policies: [policy({ $ref: '${file:.}' })] }));
  assert.match(diagnostics[0]?.message ?? '', 'it is a folder');
  assert.is(diagnostics[0]?.span.start.line, 1);
});

test('a resolved value must be valid in its place; the error does not contain the value', () => {
  const secret = 'no good value';
  const ref = { $ref: '${env:BAD}' };
  const { diagnostics } = resolve(
    programWith({
      listeners: [listenerPlan('main', { address: ref })],
      admin: { address: ref, token: ref },
      services: [servicePlan('s', { targets: [{ url: ref, weight: 1 }] })],
      consumers: [{ name: 'acme', groups: [], credentials: [{ kind: 'key', name: 'key-1', id: ref }], tags: {} }],
    }),
    { BAD: secret },
  );
  assert.is(diagnostics.length, 5);
  assert.ok(diagnostics.every(({ code }) => code === 'reference/invalid'));
  assert.not.match(JSON.stringify(diagnostics), secret);
});

test('only a private key may have several lines, in a key of the config that is for one', () => {
  const misfit = (name: string, value: string): string | undefined => {
    const config = { jwt: { [name]: { $ref: '${env:VALUE}' } } };
    const { diagnostics } = resolve(programWith({ policies: [{ ...policy(config), config }] }), { VALUE: value });
    return diagnostics[0]?.message;
  };
  const jwk = JSON.stringify({ kty: 'EC', d: 'x' }, undefined, 2);
  for (const [name, value] of [
    ['key', KEY],
    ['client_key', KEY],
    ['key', jwk],
  ] as const)
    assert.is(misfit(name, value), undefined);
  for (const [name, value] of [
    ['key', 'one\r\nx-evil: 1'],
    ['key', '{\n}'],
    ['key', '{\nx-evil: 1'],
    ['authorization', KEY],
    ['x-key', KEY],
    ['client_secret', jwk],
  ] as const)
    assert.match(misfit(name, value) ?? '', 'contains a line break');
});

test('certificates given by path are read', () => {
  const main = (cert: string) =>
    programWith({ listeners: [listenerPlan('main', { address: ':1', tls: { cert, key: KEY } })] });
  const found = resolve(main('cert.pem'));
  assert.equal(found.diagnostics, []);
  assert.equal(found.program.listeners[0]?.tls, {
    cert: CERT,
    key: KEY,
  });
  assert.equal(found.files, [join(folder, 'cert.pem')]);
  const missing = resolve(main('other.pem'), {}, 'tls = { cert = "other.pem" }');
  assert.is(missing.diagnostics[0]?.code, 'listener/certificate');
  assert.is(missing.diagnostics[0]?.span.start.column, 16);
});

test('a policy identity depends on the resolved value', () => {
  const program = programWith({ policies: [policy({ $ref: '${env:V}' }), policy('plain')] });
  const identities = (value: string) => resolve(program, { V: value }).program.policies.map(({ identity }) => identity);
  assert.equal(identities('1'), identities('1'));
  assert.is.not(identities('1')[0], identities('2')[0]);
  assert.is(identities('1')[1], 'id');
});

test('run plans get absolute folders and resolved variables', () => {
  const run = { command: 'node a.js', portEnv: 'PORT', cwd: 'app', env: { K: 'v' }, readyTimeout: 5 };
  const runs = runsOf(programWith({ services: [servicePlan('s', { run }), servicePlan('plain')] }), '/spec');
  assert.equal([...runs], [['s', { ...run, cwd: '/spec/app', drainTimeout: 1000, instances }]]);
  const unresolved = servicePlan('s', { run: { ...run, env: { K: { $ref: '${env:K}' } } } });
  assert.throws(() => runsOf(programWith({ services: [unresolved] }), '/spec'), /not resolved/);
});

test.run();
