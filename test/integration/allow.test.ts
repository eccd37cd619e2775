/** Rules about access over sockets: answers, the deciding rule in the access log, and the same decisions in explain. */
import * as crypto from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Explanation } from '../../src/control/explain.js';
import { gw } from '../cli/kit.js';
import {
  call,
  closeAll,
  removeFolders,
  SpecFile,
  startGateway,
  startOrigin,
  temporaryFolder,
  until,
} from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const hash = (key: string): string => `sha256:${crypto.hash('sha256', key, 'hex')}`;

const specOf = (target: string, log: string): string => `spec = 1
[access_log]
path = "${log}"
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${target}"]
[consumer.acme]
groups = ["partners"]
api_keys = ["${hash('acme-key-1')}"]
[consumer.guest]
api_keys = ["${hash('guest-key-1')}"]
[policy.keys]
use = "api-key"
optional = true
[policy.access]
use = "allow"
[[policy.access.rules]]
name = "partners"
groups = ["partners"]
[[policy.access.rules]]
name = "reads"
methods = ["GET"]
when = 'request.params["id"] == "7"'
[[policy.access.deny]]
name = "beta"
when = '"x-beta" in request.headers'
[[route]]
name = "order"
match = "/orders/{id}"
to = "orders"
policies = ["keys", "access"]
`;

/** Method, path, fields; status and rule. */
const CASES: readonly (readonly [string, string, { readonly [name: string]: string }, number, string])[] = [
  ['POST', '/orders/1', { 'x-api-key': 'acme-key-1' }, 200, 'access/partners'],
  ['GET', '/orders/7', {}, 200, 'access/reads'],
  ['GET', '/orders/8', {}, 401, 'access/default'],
  ['GET', '/orders/8', { 'x-api-key': 'guest-key-1' }, 403, 'access/default'],
  ['POST', '/orders/1', { 'x-api-key': 'acme-key-1', 'x-beta': '1' }, 403, 'access/beta'],
];

test('the deciding rule is in the access log, and explain decides the same', async () => {
  const origin = await startOrigin();
  const log = join(temporaryFolder(), 'access.log');
  const { path } = new SpecFile(specOf(origin.url, log));
  const { url } = await startGateway({ spec: path, accessLog: undefined });
  for (const [method, where, headers, status] of CASES) {
    const answer = await call(`${url}${where}`, { method, headers });
    assert.is(answer.status, status, `${method} ${where}`);
    const challenge = answer.headers['www-authenticate'];
    assert.is(challenge, status === 401 ? 'ApiKey realm="api"' : undefined);
  }
  const lines = await until(() => {
    if (!existsSync(log)) return undefined;
    const written = readFileSync(log, 'utf8').split('\n').filter(Boolean);
    return written.length === CASES.length ? written.map((line) => JSON.parse(line) as { rule?: string }) : undefined;
  });
  assert.equal(
    lines!.map(({ rule }) => rule),
    CASES.map(([, , , , rule]) => rule),
  );
  for (const [method, where, headers, status, rule] of CASES) {
    const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const { out } = await gw(['explain', method, where, path, ...fields, '--json', '--mock', 'orders=200']);
    const found = JSON.parse(out) as Explanation;
    assert.is(found.reply?.status, status, `${method} ${where}`);
    const why = found.decisions.find(({ step }) => step === 'access')?.why ?? '';
    const name = rule.replace('access/', '');
    assert.match(why, name === 'default' ? /^no rule allows it/ : new RegExp(`^rule ${name} `));
  }
});

const CALLERS = `
[consumer.anonymous]
[policy.old-keys]
use = "api-key"
header = "x-old-key"
realm = "old"
[policy.optional-keys]
use = "api-key"
header = "x-old-key"
realm = "old"
optional = true
[policy.strict-keys]
use = "api-key"
[policy.callers]
use = "any-of"
policies = ["strict-keys", "old-keys"]
anonymous = "anonymous"
[policy.partners]
use = "allow"
groups = ["partners"]
[[route]]
name = "fallback"
match = "GET /fallback"
to = "orders"
policies = ["callers", "partners"]
[[route]]
name = "both"
match = "GET /both"
to = "orders"
policies = ["optional-keys", "keys", "partners"]
`;

test('a caller without credentials gets the challenges of all policies that let it pass; one that is known gets none', async () => {
  const origin = await startOrigin();
  const log = join(temporaryFolder(), 'access.log');
  const { url } = await startGateway({ spec: new SpecFile(specOf(origin.url, log) + CALLERS).path });
  const ask = async (path: string, headers = {}) => {
    const { status, headers: fields } = await call(`${url}${path}`, { headers });
    return [status, fields['www-authenticate']];
  };
  const both = 'ApiKey realm="api", ApiKey realm="old"';
  assert.equal(await ask('/fallback'), [401, both]);
  assert.equal(await ask('/both'), [401, 'ApiKey realm="old", ApiKey realm="api"']);
  for (const path of ['/fallback', '/both']) {
    assert.equal(await ask(path, { 'x-api-key': 'acme-key-1' }), [200, undefined]);
    assert.equal(await ask(path, { 'x-api-key': 'guest-key-1' }), [403, undefined]);
    assert.equal(await ask(path, { 'x-old-key': 'guest-key-1' }), [403, undefined]);
  }
});

test.run();
