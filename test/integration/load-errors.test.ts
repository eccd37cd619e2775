/** Load errors of the environment: each points at its entity, in spec and bundle, and is described in words. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeBundle } from '../../src/bundle/encode.js';
import { compile } from '../../src/compiler/index.js';
import { Gateway, StartError } from '../../src/control/gateway.js';
import { loadSpec } from '../../src/spec/index.js';
import { closeAll, removeFolders, temporaryFolder } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const fixture = (name: string): string => readFileSync(join(process.cwd(), 'test/integration/fixtures', name), 'utf8');
const CERT = fixture('tls-cert.pem');
const KEY = fixture('tls-key.pem');

const SPEC = `spec = 1
[listener.main]
address = "\${env:ADDRESS:-127.0.0.1:0}"
[listener.main.tls]
cert = "certs/server.pem"
key = "\${file:certs/server.key}"
[access_log]
path = "logs/access.log"
[service.orders]
targets = [
  "http://127.0.0.1:4003",
  "\${env:TARGET:-http://127.0.0.1:4004}",
]
[admin]
address = "127.0.0.1:0"
token = "\${env:TOKEN:-t0ken}"
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = [
  { use = "headers", request.set = { authorization = "Bearer \${env:BEARER:-x}" } },
]
`;

interface Case {
  readonly env?: Record<string, string>;
  readonly cert?: string | Uint8Array;
  readonly key?: string;
  readonly logs?: false;
}

/** The diagnostics of a failing start, from the spec and from its bundle. */
async function failures({ env = {}, cert = CERT, key = KEY, logs }: Case): Promise<[string, string]> {
  const folder = temporaryFolder();
  const spec = join(folder, 'gateway.toml');
  writeFileSync(spec, SPEC);
  mkdirSync(join(folder, 'certs'));
  writeFileSync(join(folder, 'certs', 'server.pem'), cert);
  writeFileSync(join(folder, 'certs', 'server.key'), key);
  if (logs !== false) mkdirSync(join(folder, 'logs'));
  const bundle = join(folder, 'gateway.gwb');
  const model = loadSpec({ path: spec }).value;
  assert.ok(model);
  writeFileSync(bundle, encodeBundle(compile(model).bundle));
  const options = { env, inline: true, adminSocket: false };
  return [await failure({ ...options, spec }), await failure({ ...options, bundle })];
}

async function failure(options: Parameters<typeof Gateway.start>[0]): Promise<string> {
  try {
    await (await Gateway.start(options)).close();
  } catch (error) {
    if (error instanceof StartError) return error.diagnostics;
    throw error;
  }
  return 'it started';
}

/** Before the name of the spec: from the working directory; a bundle says only where it was in its own folder. */
const FOLDERS = ['\\S+/', ''];

const CASES: readonly (readonly [what: string, line: number, code: string, said: RegExp, given: Case])[] = [
  ['an empty certificate', 5, 'listener/certificate', /certificate of listener `main` is empty/, { cert: '' }],
  ['garbage', 5, 'listener/certificate', /certificate of listener `main` is not in PEM form/, { cert: 'junk' }],
  ['DER', 5, 'listener/certificate', /is in DER form/, { cert: new X509Certificate(CERT).raw }],
  ['a swapped pair', 5, 'listener/certificate', /the two are swapped/, { cert: KEY, key: CERT }],
  ['an empty key', 6, 'listener/certificate', /key of listener `main` is empty/, { key: '' }],
  [
    'two URLs',
    12,
    'reference/invalid',
    /target of service `orders` contains more than one URL/,
    { env: { TARGET: 'http://a:1,http://b:2' } },
  ],
  [
    'two URLs in lines',
    12,
    'reference/invalid',
    /target of service `orders` contains a line break/,
    { env: { TARGET: 'http://a:1\nhttp://b:2' } },
  ],
  ['no URL', 12, 'reference/invalid', /target of service `orders` is not the URL/, { env: { TARGET: 'a b' } }],
  [
    'no address',
    3,
    'reference/invalid',
    /address of listener `main` is not an address/,
    { env: { ADDRESS: 'eighty' } },
  ],
  [
    'a token of two lines',
    16,
    'reference/invalid',
    /token of the admin API contains a line break/,
    { env: { TOKEN: 'a\nb' } },
  ],
  [
    'a header of two lines',
    22,
    'reference/invalid',
    /`request\.set\.authorization` of policy `orders\/headers` contains a line break/,
    { env: { BEARER: 'a\r\nx-evil: 1' } },
  ],
];

for (const [what, line, code, said, given] of CASES) {
  test(`${what} is reported at its location in the spec`, async () => {
    for (const [index, diagnostics] of (await failures(given)).entries()) {
      assert.match(diagnostics, said);
      assert.match(diagnostics, `error[${code}]`);
      assert.match(diagnostics, new RegExp(`--> ${FOLDERS[index]}gateway\\.toml:${line}\\b`));
      assert.match(diagnostics, 'help: ');
      assert.not.match(diagnostics, /error:[0-9A-F]{8}|routines|ERR_|\bE[A-Z]{5,}\b|x-evil/);
    }
  });
}

test('a missing certificate, key and access log folder are reported at their location in the spec', async () => {
  const folder = temporaryFolder();
  const spec = join(folder, 'gateway.toml');
  writeFileSync(spec, SPEC.replace('${file:certs/server.key}', 'certs/server.key'));
  const missing = await failure({ spec, inline: true, adminSocket: false });
  // Relative to the working directory.
  const shown = relative(process.cwd(), spec);
  assert.match(missing, `certificate of listener \`main\` cannot be read: no such file.\n --> ${shown}:5:`);
  assert.match(missing, `key of listener \`main\` cannot be read: no such file.\n --> ${shown}:6:`);
  for (const [index, diagnostics] of (await failures({ logs: false })).entries()) {
    assert.match(diagnostics, /error\[log\/open\]: .*logs\/access\.log` cannot be opened: no such folder/);
    assert.match(diagnostics, new RegExp(`--> ${FOLDERS[index]}gateway\\.toml:8`));
  }
});

test('a policy that cannot start is reported at its place: the secret of HS256 is too short', async () => {
  const spec = join(temporaryFolder(), 'gateway.toml');
  const policies = (name: string): string => `spec = 1
[listener.tokens]
address = "127.0.0.1:0"
[service.orders]
targets = ["http://127.0.0.1:4003"]
[policy.token]
use = "headers"
request.set = { x-a = "b" }
[policy.tokens]
use = "jwt"
secret = "\${env:SECRET}"
audience = "orders"
[policy.keys]
use = "api-key"
[policy.all]
use = "any-of"
policies = ["keys", "tokens"]
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = ["token", "${name}"]
`;
  for (const name of ['tokens', 'all']) {
    writeFileSync(spec, policies(name));
    const options = { env: { SECRET: 'short' }, inline: true, adminSocket: false };
    const diagnostics = await failure({ ...options, spec });
    assert.match(diagnostics, 'policy tokens: The secret has 5 bytes; HS256 needs at least 32.');
    assert.match(diagnostics, `--> ${relative(process.cwd(), spec)}:9:`);
  }
});

test('a wrong value in the second of two consumers is not reported at the first one', async () => {
  const folder = temporaryFolder();
  const spec = join(folder, 'gateway.toml');
  writeFileSync(
    spec,
    `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["http://127.0.0.1:4003"]
[policy.keys]
use = "api-key"
[consumer.one]
api_keys = ["sha256:${'0'.repeat(64)}"]
[consumer.two]
tags = { region = "eu" }
[[consumer.two.credentials]]
key = "\${env:KEY}"
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = ["keys"]
`,
  );
  const bundle = join(folder, 'gateway.gwb');
  const model = loadSpec({ path: spec }).value;
  assert.ok(model);
  writeFileSync(bundle, encodeBundle(compile(model).bundle));
  const options = { env: { KEY: 'no-hash' }, inline: true, adminSocket: false };
  assert.match(await failure({ ...options, spec }), /reference\/invalid[^>]*consumer `two`[^>]*> \S+:13:8\n/);
  // A bundle has no text: the consumer is the nearest place.
  assert.match(await failure({ ...options, bundle }), /reference\/invalid[^>]*consumer `two`[^>]*> gateway\.toml:10\b/);
});

test.run();
