import { generateKeyPairSync } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import {
  type Caller,
  CallerError,
  Explainer,
  type ExplainRequest,
  explain,
  UnexplainableError,
} from '../../src/control/explain.js';
import { checkSpec } from '../../src/lint/index.js';
import { Signer } from '../support/signer.js';
import { virtualClock } from '../support/virtual-clock.js';

const KEY = 'sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683'; // of `key`

const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003", { url = "\${env:SECOND}", weight = 2 }]
[service.products]
run = { command = "node products.js", instances = "0..4" }
[consumer.acme]
plan = "gold"
api_keys = ["${KEY}"]
[plan.gold]
limits = { polite = "600/min" }
[policy.keys]
use = "api-key"
[policy.polite]
use = "rate-limit"
limit = "1/min"
by = "consumer"
[[group]]
name = "orders"
prefix = "/orders"
policies = ["keys", "polite"]
[[group.route]]
name = "get-order"
match = "GET /{id:int}"
to = "orders"
policies = [{ use = "headers", request.set = { x-tenant = "{consumer.name}", x-secret = "\${env:SECRET}" } }]
[[group.route]]
name = "any-order"
match = "GET /{slug}"
to = "orders"
[[route]]
name = "beta"
match = { path = "/beta", headers = { x-beta = "1" } }
to = "products"
[[route]]
name = "home"
match = "GET /"
reply = { status = 200, headers = { content-type = "text/plain" }, body = "home" }
`;

function bundleOf(text: string) {
  const { value: model, diagnostics } = checkSpec({ path: '/spec/gateway.toml', text });
  if (!model || diagnostics.some(({ severity }) => severity === 'error')) {
    throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  }
  return compile(model).bundle;
}

const bundle = bundleOf(SPEC);
const env = { SECRET: 's3cret', SECOND: 'http://127.0.0.1:4004' };
const ask = (method: string, url: string, headers: Record<string, string> = {}) =>
  explain(bundle, { method, url, headers }, { env });

test('an explanation has the route, the reason, and each policy with its decisions, values and sources', async () => {
  const explanation = await ask('GET', '/orders/%37?full=1', { 'x-api-key': 'key' });
  assert.is(explanation.version, 1);
  assert.is(explanation.outcome, 'target');
  assert.is(explanation.request.path, '/orders/7');
  assert.is(explanation.route?.name, 'get-order');
  assert.is(explanation.route?.source.file, 'gateway.toml');
  assert.is(explanation.match?.decidedBy, 'path');
  assert.match(explanation.match?.why ?? '', 'a typed parameter comes before a parameter');
  assert.equal(explanation.params, { id: '7' });
  assert.is(explanation.consumer, 'acme');
  assert.equal(
    explanation.policies.map(({ name, use, phase, ran }) => [name, use, phase, ran]),
    [
      ['keys', 'api-key', 'authenticate', true],
      ['polite', 'rate-limit', 'limit', true],
      ['get-order/headers', 'headers', 'transform', true],
    ],
  );
  const limit = explanation.policies[1]?.values.find(({ key }) => key === 'limit');
  assert.is(limit?.value, '1/min');
  assert.is(limit?.source.from, 'spec');
  assert.is(limit?.source.line, 17);
  assert.equal(limit?.plan, { name: 'gold', value: '600/min' });
  const mode = explanation.policies[1]?.values.find(({ key }) => key === 'mode');
  assert.is(mode?.value, 'enforce');
  assert.is(mode?.source.from, 'default');
  assert.ok(explanation.policies.every(({ decisions }) => decisions.length > 0));
  assert.is(explanation.decisions[0]?.step, 'match');
  assert.is(explanation.service?.name, 'orders');
  assert.equal(explanation.service?.targets, [
    { url: 'http://127.0.0.1:4003', weight: 1 },
    { url: '${env:SECOND}', weight: 2 },
  ]);
  assert.is(explanation.service?.chosen, '${env:SECOND}');
  assert.is(explanation.service?.head?.[0], 'GET /orders/7?full=1 HTTP/1.1');
  assert.is(explanation.reply, null);
  assert.match(explanation.summary, 'route get-order sends it to orders');
});

test('near misses have a reason', async () => {
  const lost = await ask('GET', '/orders/7', { 'x-api-key': 'key' });
  const slug = lost.nearMisses.find(({ route }) => route === 'any-order');
  assert.is(slug?.reason, 'precedence');
  const condition = (await ask('GET', '/beta')).nearMisses.find(({ route }) => route === 'beta');
  assert.is(condition?.reason, 'header');
  assert.match(condition?.why ?? '', 'x-beta');
  const typed = (await ask('GET', '/orders/abc', { 'x-api-key': 'key' })).nearMisses;
  assert.ok(typed.some(({ route, reason }) => route === 'get-order' && reason === 'type'));
});

test('a policy that replies ends the chain; later policies did not run', async () => {
  const explanation = await ask('GET', '/orders/7');
  assert.is(explanation.outcome, 'reply');
  assert.is(explanation.reply?.status, 401);
  assert.is(explanation.reply?.code, 'auth/missing');
  assert.match(explanation.reply?.body ?? '', '"status":401');
  assert.equal(
    explanation.policies.map(({ ran }) => ran),
    [true, false, false],
  );
  assert.is(explanation.service?.chosen, null);
});

test('explaining consumes no limit: the tenth explanation has the same outcome as the first', async () => {
  const explainer = new Explainer(bundle, { env });
  for (let count = 0; count < 10; count++) {
    const explanation = await explainer.explain({ method: 'GET', url: '/orders/7', headers: { 'x-api-key': 'key' } });
    assert.is(explanation.outcome, 'target');
  }
});

test('a run of several requests shares one table of limits', async () => {
  const now = Date.UTC(2026, 0, 1);
  const text = SPEC.replace('limits = { polite = "600/min" }', 'limits = {}');
  const explainer = new Explainer(bundleOf(text), { env, clock: virtualClock(() => now) });
  const request = { method: 'GET', url: '/orders/7', headers: { 'x-api-key': 'key' } };
  assert.is((await explainer.run(request)).status, null);
  assert.is((await explainer.run(request)).status, 429);
  explainer.close();
});

test('static replies, no route, wrong method, a refused path and an invalid head are explained', async () => {
  const home = await ask('GET', '/');
  assert.is(home.outcome, 'reply');
  assert.is(home.reply?.body, 'home');
  assert.is(home.service, null);
  const none = await ask('GET', '/nothing/here');
  assert.is(none.outcome, 'refused');
  assert.is(none.reply?.status, 404);
  assert.is(none.match?.decidedBy, 'none');
  const method = await ask('DELETE', '/orders/7');
  assert.is(method.reply?.status, 405);
  assert.ok(method.reply?.headers.some(([name, value]) => name === 'allow' && value.includes('GET')));
  const path = await ask('GET', '/orders/%2F');
  assert.is(path.reply?.status, 400);
  assert.is(path.match, null);
  const unread = await ask('GET', '/orders/7', { 'bad name': 'x' });
  assert.is(unread.outcome, 'refused');
  assert.is(unread.request.path, null);
  assert.is(unread.reply?.status, 400);
});

test('secrets stay references, in values and in unresolved references', async () => {
  const explanation = await ask('GET', '/orders/7', { 'x-api-key': 'key' });
  const { service: _service, ...shown } = explanation;
  assert.not.match(JSON.stringify(shown), 's3cret');
  assert.match(JSON.stringify(explanation.policies[2]?.values), '${env:SECRET}');
  const poor = await explain(bundle, { method: 'GET', url: '/orders/7', headers: { 'x-api-key': 'key' } }, { env: {} });
  assert.is(poor.outcome, 'target');
});

test('a managed service has a command and no address', async () => {
  const explanation = await ask('GET', '/beta', { 'x-beta': '1' });
  assert.is(explanation.outcome, 'target');
  assert.is(explanation.service?.run, 'node products.js');
  assert.is(explanation.service?.instances, '0..4');
  assert.is(explanation.service?.chosen, null);
  assert.is(explanation.summary, 'route beta sends it to products');
});

test('a secret without a value here does not look too short', async () => {
  const spec = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[policy.tokens]
use = "jwt"
issuer = "https://id.example"
audience = "a"
algorithms = ["HS512"]
secret = "\${env:S}"
[policy.pages]
use = "csrf"
token = { secrets = ["\${env:C}"], cookie = "csrf", session = "sid" }
[policy.marks]
use = "headers"
request.set = { x-mark = "\${env:M}!" }
[[route]]
name = "r"
match = "/"
reply = { body = "ok" }
policies = ["tokens", "pages", "marks"]
`;
  const explainer = new Explainer(bundleOf(spec), { env: {} });
  const found = await explainer.explain({ method: 'GET', url: '/' });
  assert.match(found.summary, '401');
  assert.equal(found.unresolved, ['${env:C}', '${env:M}', '${env:S}']);
  assert.not.match(JSON.stringify(found), /\}\.\.\./, 'what stands for the value is not shown');
});

test('a reference without a value is listed as unresolved', async () => {
  const text = SPEC.replace(`"${KEY}"`, '"${env:KEY_HASH}"');
  const explanation = await explain(
    bundleOf(text),
    { method: 'GET', url: '/orders/7', headers: { 'x-api-key': 'key' } },
    { env },
  );
  assert.equal(explanation.unresolved, ['${env:KEY_HASH}']);
  assert.is(explanation.reply?.code, 'auth/invalid');
  const known = await explain(
    bundleOf(text),
    { method: 'GET', url: '/orders/7', headers: { 'x-api-key': 'key' } },
    { env: { ...env, KEY_HASH: KEY } },
  );
  assert.equal([known.unresolved, known.consumer], [[], 'acme']);
  const wrong = explain(bundleOf(text), { method: 'GET', url: '/' }, { env: { ...env, KEY_HASH: 'key' } });
  assert.ok((await wrong.catch((error: unknown) => error)) instanceof UnexplainableError);
});

test('the cause of a refused path names the normalisation rule', async () => {
  const explanation = await ask('GET', '/orders%2F7');
  assert.match(explanation.cause ?? '', 'encoded_slashes = "refuse": `%2F` at byte 7 of the path');
  assert.is(explanation.decisions[0]?.step, 'normalize');
  assert.match((await ask('GET', '/a b')).cause ?? '', 'byte');
});

test('absolute URLs, HTTP versions and Host are handled as in the proxy', async () => {
  const status = async (request: Omit<ExplainRequest, 'method'>) =>
    (await explain(bundle, { method: 'GET', ...request }, { env })).reply?.status;
  assert.is(await status({ url: 'https://h/' }), 421);
  assert.is(await status({ url: 'http://h/', headers: { host: 'other' } }), 200);
  assert.is(await status({ url: 'http://h/', headers: { host: 'a b' } }), 400);
  assert.is(await status({ url: '/', addHost: false }), 400);
  assert.is(await status({ url: 'http://h/', addHost: false }), 400);
  assert.is(await status({ url: '/', version: '1.0' }), 200);
  assert.is(await status({ url: '/' }), 200);
});

test('an upgrade is shown as sent to the target', async () => {
  const lines = async (upgrade: string) =>
    (
      await ask('GET', '/orders/7', {
        'x-api-key': 'key',
        connection: 'upgrade',
        upgrade,
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-version': '13',
      })
    ).service?.head;
  assert.ok((await lines('websocket'))?.includes('upgrade: websocket'));
  assert.not.ok((await lines('h2c'))?.some((line) => line.startsWith('upgrade')));
});

test('a preflight is explained by the route that answers it', async () => {
  const text = `${SPEC}[policy.pages]
use = "cors"
origins = ["https://app.example.com"]
[[route]]
name = "paged"
match = { path = "/paged", methods = ["PUT"], headers = { x-v = "1" } }
to = "orders"
policies = ["pages"]
`;
  const headers = { origin: 'https://app.example.com', 'access-control-request-method': 'PUT' };
  const explanation = await explain(bundleOf(text), { method: 'OPTIONS', url: '/paged', headers }, { env });
  assert.equal(
    [explanation.route?.name, explanation.reply?.status, explanation.match?.decidedBy],
    ['paged', 204, 'preflight'],
  );
  assert.match(explanation.match?.why ?? '', 'a preflight that asks about PUT');
  const missed = await explain(bundleOf(text), { method: 'GET', url: '/paged', headers }, { env });
  assert.equal(missed.reply?.status, 404);
  assert.ok(missed.reply?.headers.some(([name]) => name === 'access-control-allow-origin'));
});

test('a key or a token is presented where the route reads it, also by a member of any-of', async () => {
  const routed = bundleOf(
    SPEC.replace('use = "api-key"', 'use = "api-key"\nquery = "api_key"').replace('[[group]]', () => {
      const tokens = '[policy.tokens]\nuse = "jwt"\nsecret = "${env:JWT}"\ncookie = "session"\n';
      const either = '[policy.either]\nuse = "any-of"\npolicies = ["keys", "tokens"]\n';
      const route = '[[route]]\nname = "both"\nmatch = "GET /both"\nto = "orders"\npolicies = ["either"]\n';
      return `${tokens}${either}${route}[[group]]`;
    }),
  );
  const of = (url: string, caller: Caller) =>
    explain(routed, { method: 'GET', url }, { env: { ...env, JWT: 'x'.repeat(40) } }, caller);
  const keyed = await of('/orders/7?full=1', { key: 'key' });
  assert.equal([keyed.consumer, keyed.outcome], ['acme', 'target']);
  assert.is(keyed.request.url, '/orders/7?full=1', 'the key is not part of what is shown');
  assert.is(keyed.service?.head?.[0], 'GET /orders/7?full=1 HTTP/1.1');
  assert.is((await of('/both', { key: 'key' })).consumer, 'acme');
  const wrong = await of('/both', { token: 'no token' });
  assert.equal([wrong.reply?.status, wrong.reply?.code], [401, 'auth/invalid']);
  assert.is((await of('/orders/7', { key: 'other' })).reply?.status, 401);
  assert.is((await of('/nothing', { key: 'key' })).outcome, 'refused');
});

test('a caller that is assumed to be a consumer passes every authenticating policy, without a credential', async () => {
  const { decisions, consumer, outcome, service } = await explain(
    bundle,
    { method: 'GET', url: '/orders/7' },
    { env },
    { as: 'acme' },
  );
  assert.equal([consumer, outcome], ['acme', 'target']);
  assert.is(decisions.find(({ step }) => step === 'keys')?.why, 'assumed to be acme');
  assert.ok(service?.head?.includes('x-tenant: acme'));
});

test('a caller that cannot make the request is an error with the reason', async () => {
  const rejected = async (url: string, caller: Caller): Promise<string> => {
    try {
      await explain(bundle, { method: 'GET', url }, { env }, caller);
    } catch (error) {
      assert.instance(error, CallerError);
      return (error as Error).message;
    }
    throw new Error('no error');
  };
  assert.is(await rejected('/', { as: 'acne' }), 'There is no consumer `acne`. Consumers: acme.');
  assert.is(await rejected('/', { key: 'key' }), 'No policy of the route `home` takes an API key.');
  assert.is(await rejected('/orders/7', { token: 'x' }), 'No policy of the route `get-order` takes a token.');
});

test('a signed request can be explained again: no explanation uses up its nonce', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const signing = bundleOf(`${SPEC.replace('policies = ["keys", "polite"]', 'policies = ["signed"]')}
[policy.signed]
use = "http-signature"
keys = [{ id = "k1", public_key = """${pem}""" }]
`);
  const url = 'http://shop.example.com/orders/x';
  const { headers } = new Signer({ keyid: 'k1', key: privateKey }).request({
    url,
    created: Math.floor(Date.now() / 1000),
  });
  for (let at = 0; at < 2; at++) {
    const { outcome, decisions } = await explain(signing, { method: 'GET', url, headers }, { env });
    assert.is(decisions.find(({ step }) => step === 'signed')?.why, 'valid signature');
    assert.is(outcome, 'target');
  }
});

test.run();
