/** Tokens that a real server knows, over sockets: caching, one request for all workers, outage, slow and wrong answers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gw } from '../cli/kit.js';
import { Issuer } from '../support/issuer.js';
import {
  call,
  closeAll,
  closedLater,
  type Answer as Reply,
  removeFolders,
  SpecFile,
  startGateway,
  startOrigin,
} from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

interface Asked {
  readonly authorization: string | undefined;
  readonly form: { readonly [name: string]: string };
}

async function started(more = '', { workers = 1 } = {}) {
  const issuer = closedLater(await Issuer.start());
  const origin = await startOrigin();
  const asked: Asked[] = [];
  const known = new Map<string, object>([['right', { active: true, sub: 'ann', aud: 'orders', scope: 'read' }]]);
  const state = { raw: undefined as string | undefined, type: 'application/json', delay: 0 };
  issuer.documents.set('/introspect', async (body, { headers }) => {
    const form = Object.fromEntries(new URLSearchParams(body));
    asked.push({ authorization: headers.authorization, form });
    await new Promise((resolve) => setTimeout(resolve, state.delay));
    const answer = state.raw ?? JSON.stringify(known.get(form['token'] ?? '') ?? { active: false });
    return { status: 200, body: answer, type: state.type };
  });
  const spec = new SpecFile(`spec = 1
workers = ${workers}
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${origin.url}"]
[policy.tokens]
use = "introspect"
url = "${issuer.url}/introspect"
client_id = "gw"
client_secret = "\${env:SECRET}"
audience = "orders"
resource = "https://api.example.com/v1"
authorization_servers = ["https://id.example.com"]
${more}
[policy.caller]
use = "headers"
reply.set = { x-sub = "{claims.sub}" }
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = ["tokens", "caller"]
`);
  const running = await startGateway({ spec: spec.path, env: { SECRET: 's:1' } });
  const send = (token: string): Promise<Reply> =>
    call(`${running.url}/orders`, { headers: { authorization: `Bearer ${token}` } });
  return { ...running, issuer, asked, known, state, send, spec };
}

test('an active token passes with what the server says; the gateway authenticates; the answer is kept', async () => {
  const { send, asked } = await started();
  const right = await send('right');
  assert.equal([right.status, right.headers['x-sub']], [200, 'ann']);
  assert.equal(asked, [
    {
      authorization: `Basic ${Buffer.from('gw:s%3A1').toString('base64')}`,
      form: { token: 'right', token_type_hint: 'access_token' },
    },
  ]);
  for (let i = 0; i < 5; i++) assert.is((await send('right')).status, 200);
  assert.is(asked.length, 1);
  const wrong = await send('wrong');
  assert.is(wrong.status, 401);
  assert.is(
    wrong.headers['www-authenticate'],
    'Bearer realm="api", error="invalid_token", error_description="the token is not active", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1"',
  );
});

test('requests in all workers with the same token ask once', async () => {
  const { send, asked, state } = await started('', { workers: 2 });
  state.delay = 200;
  const all = await Promise.all(Array.from({ length: 30 }, () => send('right')));
  assert.equal([...new Set(all.map(({ status }) => status))], [200]);
  assert.is(asked.length, 1);
});

test('an outage, slow and wrong answers give 503, never access; then the route works again', async () => {
  const { send, state, issuer, log } = await started('timeout = "300ms"\ncache = "0s"\ncache_invalid = "0s"');
  for (const raw of ['{"active":"true"}', '<html>', '[]', '{}', `{"active":true,"x":"${'y'.repeat(100_000)}"}`]) {
    state.raw = raw;
    assert.is((await send('right')).status, 503, raw.slice(0, 20));
  }
  state.raw = undefined;
  state.delay = 1000;
  assert.is((await send('right')).status, 503);
  state.delay = 0;
  const { port } = issuer;
  await issuer.close();
  assert.is((await send('right')).status, 503);
  await issuer.listen(port);
  assert.is((await send('right')).status, 200);
  assert.not.match(JSON.stringify(log), /s:1|c%3A1/);
});

test('the server signs its answers: one without a signature does not count', async () => {
  const signer = closedLater(await Issuer.start());
  const more = `signed = { jwks = "${signer.url}/keys", issuer = "${signer.url}", audience = "gw", algorithms = ["ES256"] }`;
  const { send, state, issuer } = await started(`${more}\ncache = "0s"`);
  const claims = { aud: 'gw', token_introspection: { active: true, sub: 'bob', aud: 'orders' } };
  state.type = 'application/token-introspection+jwt';
  state.raw = await signer.token(claims, undefined, { typ: 'token-introspection+jwt' });
  const right = await send('right');
  assert.equal([right.status, right.headers['x-sub']], [200, 'bob']);
  state.raw = await issuer.token(claims, undefined, { typ: 'token-introspection+jwt' });
  assert.is((await send('right')).status, 503);
  state.type = 'application/json';
  state.raw = '{"active":true,"aud":"orders"}';
  assert.is((await send('right')).status, 503);
});

test('the document about the API has the URLs of the spec, whatever Host the request has', async () => {
  const { url } = await started('scopes = ["read", "write"]');
  for (const host of ['evil.example', 'api.example.com']) {
    const document = await call(`${url}/.well-known/oauth-protected-resource/v1`, { headers: { host } });
    assert.equal([document.status, document.headers['content-type']], [200, 'application/json']);
    assert.equal(JSON.parse(document.body), {
      resource: 'https://api.example.com/v1',
      authorization_servers: ['https://id.example.com'],
      scopes_supported: ['read', 'write'],
      bearer_methods_supported: ['header'],
    });
  }
  const missing = await call(`${url}/orders`, { headers: { host: 'evil.example' } });
  assert.is(
    missing.headers['www-authenticate'],
    'Bearer realm="api", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1"',
  );
});

test('explain with a mock of the server decides as the proxy does', async () => {
  const { spec, issuer } = await started();
  const file = new SpecFile('{"active":true,"sub":"ann","aud":"orders"}').path;
  const args = ['explain', 'GET', '/orders', spec.path, '-H', 'authorization: Bearer right', '--json'];
  const mocks = ['--mock', `${issuer.url}=200:${file}`, '--mock', 'orders=200'];
  const { out, err } = await gw([...args, ...mocks], { env: { SECRET: 's' } });
  const found = JSON.parse(out) as { outcome: string; reply: { status: number } | null };
  assert.equal([found.outcome, found.reply?.status], ['target', 200], err);
});

test.run();
