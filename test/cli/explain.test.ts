import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Explanation } from '../../src/control/explain.js';
import { gw, inFolder, type Ran } from './kit.js';

const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003", { url = "http://127.0.0.1:4004", weight = 2 }]
[consumer.acme]
api_keys = ["sha256:8676d15d94dabdd1283e6c407e2bb08a7b5c13b4e3667d4795c17172e080a3d4"]
[policy.keys]
use = "api-key"
[policy.tenant]
use = "headers"
request.set = { x-tenant = "{consumer.name}" }
[[group]]
prefix = "/orders"
policies = ["keys", "tenant", { use = "rate-limit", limit = "5/min", by = "consumer" }]
[[group.route]]
name = "get-order"
match = "GET /{id:int}"
to = "orders"
[[group.route]]
name = "search"
match = "GET /{word}"
to = "orders"
[[route]]
name = "health"
match = { path = "/healthz", host = "ops.example.com" }
reply = { body = "ok" }
`;

const explain = (...args: string[]): Promise<Ran> =>
  inFolder({ 'gateway.toml': SPEC }, (cwd) => gw(['explain', ...args], { cwd }));

const byKey = (a: { key: string }, b: { key: string }): number => (a.key < b.key ? -1 : 1);

const explanationOf = async (...args: string[]): Promise<Explanation> => {
  const { code, out, err } = await explain(...args, '--json');
  assert.is(code, 0, err);
  return JSON.parse(out) as Explanation;
};

test('explain prints the route, the reason, the near miss, parameters, policies with values, and the target', async () => {
  const { code, out } = await explain('GET', '/orders/7?x=1', '-H', 'X-Api-Key: acme-demo-key');
  assert.is(code, 0);
  assert.match(out, /^GET \/orders\/7\?x=1\nroute get-order sends it to orders/);
  assert.match(
    out,
    /route get-order: GET \/orders\/\{id:int\} gateway\.toml:\d+\n {2}because at segment 2 a typed parameter/,
  );
  assert.match(out, '  {id} = "7"\n  consumer: acme');
  assert.match(
    out,
    /near misses\n {2}search: GET \/orders\/\{word\} gateway\.toml:\d+\n {4}it also matches the request, but/,
  );
  assert.match(out, /keys \(api-key, authenticate\)\n {4}pass: /);
  assert.match(out, /request\.set\.x-tenant = "\{consumer\.name\}" {2}\((group )?gateway\.toml:\d+\)/);
  assert.match(out, 'limit = "5/min"');
  assert.match(
    out,
    /service orders\n {2}[*-] http:\/\/127\.0\.0\.1:4003\n {2}[*-] http:\/\/127\.0\.0\.1:4004 \(weight 2\)/,
  );
  assert.match(out, /what the target would see:\n {4}GET \/orders\/7\?x=1 HTTP\/1\.1/);
  assert.match(out, '    x-tenant: acme');
  assert.not.match(out, 'acme-demo-key');
});

test('explain shows the reply of a policy that ends the chain, and which policies were not reached', async () => {
  const { out } = await explain('get', '/orders/7');
  assert.match(out, 'route get-order answers 401 auth/missing');
  assert.match(out, /tenant \(headers, transform\): never reached/);
  assert.match(out, /reply 401\n {2}content-type: application\/problem\+json/);
});

test('explain covers no route, wrong method, host, reply and path normalisation', async () => {
  assert.match((await explain('GET', '/nothing')).out, 'gw refuses it: 404 route/none\n\nno route: ');
  assert.match((await explain('PUT', '/orders/7')).out, '405');
  const health = (await explain('GET', 'http://ops.example.com/healthz')).out;
  assert.match(health, 'route health answers 200');
  assert.match(health, 'host ops.example.com');
  assert.match(health, 'reply 200\n');
  assert.match((await explain('GET', '/x/../orders//7')).out, 'normalised: /orders/7');
});

test('--json prints the explanation with a version', async () => {
  const explanation = await explanationOf('GET', '/orders/7', '-H', 'x-api-key: acme-demo-key', '--client', '10.1.2.3');
  assert.is(explanation.version, 1);
  assert.is(explanation.outcome, 'target');
  assert.is(explanation.route?.name, 'get-order');
  assert.equal(explanation.params, { id: '7' });
  assert.is(explanation.consumer, 'acme');
  assert.is(explanation.reply, null);
  assert.ok(explanation.service?.head?.includes('x-forwarded-for: 10.1.2.3'));
});

test('with a mock, explain shows what the client gets', () => {
  const pages = `[policy.pages]\nuse = "error-page"\nfrom = "all"\nhtml = "<h1>{reply.status}</h1>"\nwhen = "reply.status > 500"\n`;
  const spec = `${SPEC}[[route]]\nname = "upload"\nmatch = "POST /upload"\nto = "orders"\npolicies = ["pages"]\n${pages}`;
  const files = { 'gateway.toml': spec, 'order.json': '{"a":1}', 'error.html': '<b>x</b>', 'raw.bin': '\u00ff' };
  return inFolder(files, async (cwd) => {
    const run = async (...args: string[]): Promise<Explanation> => {
      const { code, out, err } = await gw(['explain', 'POST', '/upload', '--json', ...args], { cwd });
      assert.is(code, 0, err);
      return JSON.parse(out) as Explanation;
    };
    const plain = await run('--body', 'order.json');
    assert.is(plain.reply, null);
    assert.ok(plain.service?.head?.includes('content-length: 7'));
    const ok = await run('--mock', 'orders=201:order.json');
    assert.is(ok.outcome, 'target');
    assert.match(ok.summary, /^route upload sends it to orders at \S+; the client gets 201$/);
    assert.is(ok.reply?.body, '{"a":1}');
    assert.ok(ok.reply?.headers.some(([name, value]) => name === 'content-type' && value === 'application/json'));
    assert.equal(
      ok.policies[0]?.decisions.map(({ outcome }) => outcome),
      ['skip'],
    );
    const failed = await run('--mock', 'orders=503:error.html', '-H', 'accept: text/html');
    assert.is(failed.reply?.body, '<h1>503</h1>');
    assert.equal(
      failed.policies[0]?.decisions.map(({ outcome }) => outcome),
      ['edit'],
    );
    const missing = await gw(['explain', 'POST', '/upload', '--body', 'no.json'], { cwd });
    assert.is(missing.code, 1);
    assert.match(missing.err, 'Cannot read no.json: no such file');
  });
});

test('explain prints the same for a bundle and its spec', () =>
  inFolder({ 'gateway.toml': SPEC }, async (cwd) => {
    await gw(['compile', '-o', 'a.bundle'], { cwd });
    const from = async (file: string): Promise<unknown> => {
      const { out } = await gw(['explain', 'GET', '/orders/7', file, '--json'], { cwd });
      const { policies, ...rest } = JSON.parse(out) as Explanation;
      // A bundle does not keep the order of keys.
      const sorted = policies.map((policy) => ({ ...policy, values: [...policy.values].sort(byKey) }));
      return { ...rest, policies: sorted };
    };
    assert.equal(await from('a.bundle'), await from('gateway.toml'));
  }));

test('explain says what it cannot know: the answer of a service that a policy would call', async () => {
  const policies = 'policies = [{ use = "forward-auth", url = "https://auth.example/check" }, { use = "api-key" }]';
  const spec = SPEC.replace('reply = { body = "ok" }', `reply = { body = "ok" }\n${policies}`);
  const args = ['explain', 'GET', 'http://ops.example.com/healthz'];
  const { out } = await inFolder({ 'gateway.toml': spec }, (cwd) => gw(args, { cwd }));
  assert.match(out, 'the outcome is unknown: policy health/forward-auth would call https://auth.example: GET /check');
  assert.match(out, 'call: would call https://auth.example: GET /check');
  const json = await inFolder({ 'gateway.toml': spec }, (cwd) => gw([...args, '--json'], { cwd }));
  const explanation = JSON.parse(json.out) as Explanation;
  assert.equal([explanation.outcome, explanation.reply], ['unknown', null]);
});

const JWT = `[policy.tokens]
use = "jwt"
jwks = "https://id.example.com/keys"
audience = "orders"
[[route]]
name = "tokens"
match = "GET /tokens"
to = "orders"
policies = ["tokens"]
`;

test('explain says how to give what is missing: a key set, the reply of a service, a body', () => {
  const route = (name: string, policy: string): string =>
    `[[route]]\nname = "${name}"\nmatch = "POST /${name}"\nto = "orders"\npolicies = [${policy}]\n`;
  const called = route('called', '{ use = "forward-auth", url = "https://auth.example/check" }');
  const checked = route('checked', '{ use = "validate", body = "order.schema.json" }');
  return inFolder({ 'gateway.toml': `${SPEC}${JWT}${called}${checked}`, 'order.schema.json': '{}' }, async (cwd) => {
    for (const [args, hint] of [
      [['GET', '/tokens', '-H', 'authorization: Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA'], '--published tokens=FILE'],
      [['POST', '/called'], '--mock https://auth.example=STATUS[:FILE]'],
      [['POST', '/checked', '-H', 'content-type: application/json', '-H', 'content-length: 2'], '--body FILE'],
    ] as const) {
      const { out } = await gw(['explain', ...args], { cwd });
      assert.match(out.split('\n')[1]!, 'the outcome is unknown: ');
      assert.match(out.split('\n')[2]!, `: ${hint}`);
    }
    assert.match((await gw(['explain', 'GET', '/tokens'], { cwd })).out, 'answers 401 auth/missing');
  });
});

test('a custom policy whose duty has published nothing decides nothing', () => {
  const own = `const { definePolicy, problem } = require('gw/policy');
module.exports = definePolicy({ summary: 'Blocks', phase: 'guard',
  duty: { create: (_, host) => ({ async run() { host.publish(['/hello']); } }) },
  create() { let blocked = []; return {
    published(value) { if (!Array.isArray(value)) throw new TypeError('not a list'); blocked = value; },
    before: (x) => blocked.includes(x.path) ? problem(x, { status: 403, code: 'a/b', title: 'Blocked' }) : undefined }; } });`;
  const spec = `${SPEC}policies = ["own"]\n[policy.own]\nuse = "./own.js"\n`.replace('/healthz', '/hello');
  const files = { 'gateway.toml': spec, 'own.js': own, 'list.json': '["/hello"]', 'none.json': '[]', 'bad.json': '{}' };
  return inFolder(files, async (cwd) => {
    const run = (...args: string[]): Promise<Ran> =>
      gw(['explain', 'GET', 'http://ops.example.com/hello', ...args], { cwd });
    assert.match((await run()).out, 'unknown: policy own would use what its duty fetches, which is not given');
    assert.match((await run('--published', 'own=list.json')).out, 'answers 403');
    assert.match((await run('--published', 'own=none.json')).out, 'answers 200');
    const bad = await run('--published', 'own=bad.json');
    assert.is(bad.code, 1);
    assert.match(bad.err, 'The policy `own` refuses bad.json: not a list (own.js:5:');
  });
});

const OWN = `const { BytesReply, definePolicy, problem } = require('gw/policy');
module.exports = definePolicy({ summary: 'Changes', phase: 'transform',
  body: () => ({ request: { max: 1000 }, reply: { max: 1000 } }),
  create: () => ({
    onRequestBody(x, body) {
      if (body.includes('bad')) return problem(x, { status: 422, code: 'own/bad', title: 'Bad word' });
      return Buffer.from('{"changed":1}');
    },
    after: (x, reply) => (reply.status === 418 ? new BytesReply(200, { body: Buffer.from('tea') }) : undefined),
    onReplyBody: (x, reply, body) => Buffer.from(body + '!') }) });`;
const CHAIN = `[policy.own]
use = "./own.js"
[policy.few]
use = "concurrency"
max = 2
[policy.pages]
use = "error-page"
from = "all"
html = "<h1>{reply.status}</h1>"
[[route]]
name = "chain"
match = "POST /chain"
to = "orders"
policies = ["own", "few", "pages", { use = "headers", request.set = { x-a = "1" } }]
`;

/** What `gw explain POST /chain` prints under each policy, and the explanation. */
async function chained(files: Readonly<Record<string, string>>, ...args: string[]): Promise<[Explanation, string]> {
  const all = { 'gateway.toml': SPEC + CHAIN, 'own.js': OWN, ...files };
  return await inFolder(all, async (cwd) => {
    const { out, err, code } = await gw(['explain', 'POST', '/chain', ...args], { cwd });
    assert.is(code, 0, err);
    const json = await gw(['explain', 'POST', '/chain', '--json', ...args], { cwd });
    return [JSON.parse(json.out) as Explanation, out];
  });
}

test('explain shows the body that the target would see, and which custom policy changed it or the reply', async () => {
  const [explanation, out] = await chained(
    { 'a.json': '{"a":1}', 'b.txt': 'hi' },
    '--body',
    'a.json',
    '--mock',
    'orders=200:b.txt',
  );
  assert.is(explanation.service?.body, '{"changed":1}');
  assert.match(out, /content-length: 13\n\n {4}\{"changed":1\}\n\nreply 200/);
  assert.match(out, 'own (./own.js, transform)\n    edit: request body changed\n    edit: reply body changed\n');
  assert.is(explanation.reply?.body, 'hi!');
  const [replaced] = await chained({ 'a.json': '{}' }, '--body', 'a.json', '--mock', 'orders=418');
  const why = replaced.policies.flatMap(({ decisions }) => decisions).map((decision) => decision.why);
  assert.ok(why.includes('reply replaced, status 200'), why.join());
});

test('a policy that edits a reply whose request did not reach it is shown with what it did', async () => {
  const [explanation, out] = await chained({ 'a.json': '"bad"' }, '--body', 'a.json', '-H', 'accept: text/html');
  assert.is(explanation.reply?.body, '<h1>422</h1>');
  assert.match(out, /pages \(error-page, transform\)\n {4}edit: the 422 has a page in html/);
  assert.match(out, /chain\/headers \(headers, transform\): never reached/);
  assert.equal(
    explanation.policies.map(({ name, ran }) => [name, ran]),
    [
      ['few', true],
      ['own', true],
      ['pages', true],
      ['chain/headers', false],
    ],
  );
});

test('if the outcome is unknown, the policies behind the one that stops are not reached, and that one is named', async () => {
  const [explanation, out] = await chained({}, '-H', 'content-length: 2');
  assert.match(explanation.summary, 'policy own would read the body of the request, which is not given');
  assert.equal(explanation.missing, { kind: 'body', name: 'own' });
  assert.match(out, 'pages (error-page, transform): never reached');
  assert.match(out, /few \(concurrency, limit\)\n {4}pass: /);
});

test('values have units, as in a spec', async () => {
  const [{ policies }] = await chained({}, '-H', 'content-length: 2');
  const value = policies[0]?.values.find(({ key }) => key === 'retry_after')?.value;
  assert.is(value, '1s');
});

test('the reply to HEAD has no body', async () => {
  const explanation = await explanationOf('HEAD', 'http://ops.example.com/healthz');
  assert.equal([explanation.reply?.status, explanation.reply?.body], [200, '']);
});

test('a wrong --published names the policy or the file', () => {
  const files = {
    'gateway.toml': SPEC + JWT,
    'list.json': '[]',
    'text.txt': 'keys',
    'oct.json': '{"keys":[{"kty":"oct"}]}',
  };
  return inFolder(files, async (cwd) => {
    for (const [given, code, message] of [
      ['tokens', 2, 'write `POLICY=FILE`'],
      ['other=list.json', 2, 'There is no policy `other`. Policies with a duty: tokens.'],
      ['keys=list.json', 2, 'The policy `keys` fetches nothing. Policies with a duty: tokens.'],
      ['tokens=no.json', 1, 'Cannot read no.json: no such file'],
      ['tokens=text.txt', 1, 'text.txt is not JSON: '],
      ['tokens=list.json', 1, 'The policy `tokens` refuses list.json: The value is not a key set (JWKS).'],
      ['tokens=oct.json', 1, 'The policy `tokens` refuses oct.json: The key set has no usable key.'],
    ] as const) {
      const ran = await gw(['explain', 'GET', '/tokens', '--published', given], { cwd });
      assert.is(ran.code, code, ran.err);
      assert.match(ran.err, message);
    }
  });
});

test('routes lists the services that are called to sign calls', async () => {
  const auth = `[service.auth]
targets = ["http://127.0.0.1:2"]
policies = ["sign"]
[policy.sign]
use = "upstream-auth"
oauth2 = { token_url = "https://id.example/token", client_id = "gw", client_secret = "\${env:S}" }
`;
  const spec = `${SPEC}policies = [{ use = "forward-auth", service = "auth", send = [] }]\n${auth}`;
  const { out } = await inFolder({ 'gateway.toml': spec }, (cwd) => gw(['routes'], { cwd }));
  assert.match(out, /auth +health\/forward-auth +http:\/\/127\.0\.0\.1:2\nhttps:\/\/id\.example +sign +https/);
});

test('routes lists the services that policies call', async () => {
  const spec = `${SPEC}policies = [{ use = "forward-auth", url = "https://auth.example/check" }]\n`;
  const { out } = await inFolder({ 'gateway.toml': spec }, (cwd) => gw(['routes'], { cwd }));
  assert.match(
    out,
    /CALLED SERVICE +BY +TARGETS\nhttps:\/\/auth\.example +health\/forward-auth +https:\/\/auth\.example/,
  );
  const json = await inFolder({ 'gateway.toml': spec }, (cwd) => gw(['routes', '--json'], { cwd }));
  assert.equal((JSON.parse(json.out) as { calls: unknown }).calls, [
    {
      service: 'https://auth.example',
      declared: false,
      policies: ['health/forward-auth'],
      routes: [],
      targets: ['https://auth.example'],
    },
  ]);
});

test('explain shows the request of a consumer, by its key or by its name', async () => {
  for (const args of [
    ['--key', 'acme-demo-key'],
    ['--key', '@key.txt'],
    ['--as', 'acme'],
  ]) {
    const files = { 'gateway.toml': SPEC, 'key.txt': 'acme-demo-key\n' };
    const { code, out, err } = await inFolder(files, (cwd) => gw(['explain', 'GET', '/orders/7', ...args], { cwd }));
    assert.is(code, 0, err);
    assert.match(out, 'consumer: acme');
    assert.not.match(out, 'acme-demo-key');
  }
});

test('an invalid URL, header field or address is wrong usage', async () => {
  for (const [args, message] of [
    [['GET', 'orders/7'], 'it must begin with / or http://'],
    [['GET', '/', '-H', 'nothing'], 'write `name: value`'],
    [['GET', '/', '-H', ': x'], 'write `name: value`'],
    [['GET', '/', '-H', 'x: a\r\nx-api-key: b'], 'The header field `x` holds a line break'],
    [['GET', '/', '--client', 'localhost'], 'is not an IP address'],
    [['GET', '/', '--mock', 'orders'], 'write `SERVICE=STATUS`'],
    [['GET', '/', '--mock', 'orders=99'], 'write `SERVICE=STATUS`'],
    [['GET', '/', '--mock', 'order=200'], 'There is no service `order`. Services: orders.'],
    [['GET', '/orders/7', '--as', 'acne'], 'There is no consumer `acne`. Consumers: acme.'],
    [['GET', '/orders/7', '--token', 'x'], 'No policy of the route `get-order` takes a token.'],
    [['GET', '/orders/7', '--as', 'acme', '--key', 'x'], 'Give one of `--as` and `--key`'],
    [['GET', '/orders/7', '--key', ''], 'The credential is empty.'],
    [['GET'], "Missing required argument 'url'"],
  ] as const) {
    const { code, err, out } = await explain(...args);
    assert.is(code, 2, err);
    assert.is(out, '');
    assert.match(err, message);
  }
});

test('--at: rules with hours, and credentials that expire, at another time', async () => {
  const spec = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[[consumer.acme.credentials]]
key = "sha256:8676d15d94dabdd1283e6c407e2bb08a7b5c13b4e3667d4795c17172e080a3d4"
expires = 2030-01-09T00:00:00Z
[policy.keys]
use = "api-key"
[policy.access]
use = "allow"
time = { days = "mon-fri", hours = "08:00-18:00", zone = "Europe/Berlin" }
[[route]]
name = "r"
match = "/"
reply = { body = "ok" }
policies = ["keys", "access"]
`;
  await inFolder({ 'gateway.toml': spec }, async (cwd) => {
    const at = async (time: string): Promise<string> => {
      const { out } = await gw(['explain', 'GET', '/', '--key', 'acme-demo-key', '--at', time, '--json'], { cwd });
      return (JSON.parse(out) as Explanation).summary;
    };
    assert.match(await at('2030-01-07T07:00:00Z'), '200', 'a Monday at 8 in Berlin');
    assert.match(await at('2030-01-07T06:59:59Z'), 'auth/forbidden');
    assert.match(await at('2030-01-06T12:00:00+01:00'), 'auth/forbidden', 'a Sunday');
    assert.match(await at('2030-01-09T09:00:00Z'), 'auth/invalid', 'the key has expired');
    const wrong = await gw(['explain', 'GET', '/', '--at', 'tomorrow'], { cwd });
    assert.equal(
      [wrong.code, wrong.err.split('\n')[0]],
      [2, 'gw: `tomorrow` is no moment: write a date and a time, such as 2027-01-31T22:30:00Z.'],
    );
  });
});

test.run();
