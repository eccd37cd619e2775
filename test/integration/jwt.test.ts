/** Tokens of a real issuer over sockets: rotation, an outage, slow and wrong answers, workers that are replaced. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Explanation } from '../../src/control/explain.js';
import { StartError } from '../../src/control/gateway.js';
import type { DutySnapshot } from '../../src/telemetry/snapshot.js';
import { gw } from '../cli/kit.js';
import { Issuer } from '../support/issuer.js';
import {
  type Answer,
  call,
  closeAll,
  closedLater,
  removeFolders,
  SpecFile,
  startGateway,
  startOrigin,
  until,
} from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const startIssuer = async (): Promise<Issuer> => closedLater(await Issuer.start());

const specOf = (target: string, issuer: Issuer, more = ''): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${target}"]
[policy.tokens]
use = "jwt"
jwks = "${issuer.url}/keys"
issuer = "${issuer.url}"
audience = "orders"
cooldown = "1s"
${more}
[policy.caller]
use = "headers"
reply.set = { x-sub = "{claims.sub}" }
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = ["tokens", "caller"]
`;

const bearer = (url: string, token: string): Promise<Answer> =>
  call(`${url}/orders`, { headers: { authorization: `Bearer ${token}` } });

const dutyOf = ({ gateway }: { readonly gateway: { snapshot(): { readonly duties: readonly DutySnapshot[] } } }) =>
  gateway.snapshot().duties[0]!;

test('a token of the issuer passes, and its claims are there; others get 401 with a challenge', async () => {
  const [issuer, other, origin] = [await startIssuer(), await startIssuer(), await startOrigin()];
  const running = await startGateway({ spec: new SpecFile(specOf(origin.url, issuer)).path });
  const { url } = running;
  const right = await bearer(url, await issuer.token());
  assert.equal([right.status, right.headers['x-sub']], [200, 'ann']);
  const missing = await call(`${url}/orders`);
  assert.equal([missing.status, missing.headers['www-authenticate']], [401, 'Bearer realm="api"']);
  for (const token of [await other.token(), await issuer.token({ aud: 'other' }), 'nonsense']) {
    const wrong = await bearer(url, token);
    assert.is(wrong.status, 401);
    assert.match(wrong.headers['www-authenticate'] ?? '', /^Bearer realm="api", error="invalid_token"/);
    assert.is((JSON.parse(wrong.body) as { type: string }).type, 'urn:gw:problem:auth/invalid');
  }
  const { lastSuccess, lastError, policy, use, runs } = dutyOf(running);
  assert.equal([policy, use, runs, lastError, typeof lastSuccess], ['tokens', 'jwt', 1, null, 'number']);
});

test('explain with the key set in a file decides as the proxy does', async () => {
  const [issuer, other, origin] = [await startIssuer(), await startIssuer(), await startOrigin()];
  const { path } = new SpecFile(specOf(origin.url, issuer));
  const { url } = await startGateway({ spec: path });
  const cwd = dirname(path);
  writeFileSync(join(cwd, 'keys.json'), await (await fetch(`${issuer.url}/keys`)).text());
  const explained = async (token: string, ...more: string[]): Promise<Explanation> => {
    const args = ['explain', 'GET', '/orders', path, '-H', `authorization: Bearer ${token}`, '--json', ...more];
    const { code, out, err } = await gw(args, { cwd });
    assert.is(code, 0, err);
    return JSON.parse(out) as Explanation;
  };
  const right = await issuer.token();
  const tokens = [right, await other.token(), await issuer.token({ aud: 'other' }), 'nonsense'];
  for (const token of tokens) {
    const { status, body } = await bearer(url, token);
    const found = await explained(token, '--published', 'tokens=keys.json', '--mock', 'orders=200');
    assert.equal([found.outcome, found.reply?.status], [status === 200 ? 'target' : 'reply', status]);
    const detail = (text: string): unknown => (status === 200 ? null : (JSON.parse(text) as { detail: string }).detail);
    assert.is(detail(found.reply?.body ?? ''), detail(body));
  }
  const unknown = await explained(right);
  assert.equal([unknown.outcome, unknown.missing], ['unknown', { kind: 'published', name: 'tokens' }]);
});

test('after a rotation of the keys the next token is accepted, and one of the withdrawn key is not', async () => {
  const [issuer, origin] = [await startIssuer(), await startOrigin()];
  const { url } = await startGateway({ spec: new SpecFile(specOf(origin.url, issuer)).path });
  const old = await issuer.token();
  assert.is((await bearer(url, old)).status, 200);
  await issuer.rotate();
  await issuer.rotate();
  const fresh = await issuer.token();
  await until(async () => (await bearer(url, fresh)).status === 200, 'the new key');
  assert.is((await bearer(url, old)).status, 401);
});

test('a key set that cannot be fetched: the policy decides whether the load is rejected', async () => {
  const [issuer, origin] = [await startIssuer(), await startOrigin()];
  issuer.reply = { status: 500, body: 'down' };
  const required = new SpecFile(specOf(origin.url, issuer, 'require_keys = true'));
  try {
    await startGateway({ spec: required.path });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, StartError);
    const { diagnostics } = error as StartError;
    assert.match(
      diagnostics,
      /error\[duty\/failed\]: The first run of the duty of policy `tokens` \(jwt\) failed: the key set has status 500\./,
    );
    assert.match(diagnostics, /gateway\.toml:\d+/);
  }
  const running = await startGateway({ spec: new SpecFile(specOf(origin.url, issuer)).path });
  const closed = await bearer(running.url, await issuer.token());
  assert.equal(
    [closed.status, (JSON.parse(closed.body) as { type: string }).type],
    [503, 'urn:gw:problem:auth/unavailable'],
  );
  assert.match(running.gateway.snapshot().reloads[0]?.diagnostics ?? '', /duty\/pending/);
  assert.is(dutyOf(running).lastError?.cause, 'the key set has status 500');
  issuer.reply = undefined;
  await until(async () => (await bearer(running.url, await issuer.token())).status === 200, 'the keys');
});

test('slow and wrong answers of the issuer reject the load in a bounded time', async () => {
  const [issuer, origin] = [await startIssuer(), await startOrigin()];
  const spec = new SpecFile(specOf(origin.url, issuer, 'require_keys = true\nwait = "200ms"'));
  const failure = async (): Promise<string> => {
    try {
      await startGateway({ spec: spec.path });
      return 'started';
    } catch (error) {
      return (error as StartError).diagnostics;
    }
  };
  issuer.delay = 2000;
  assert.match(await failure(), /failed: not finished within 200 ms\./);
  issuer.delay = 0;
  for (const [body, cause] of [
    ['<html>', /not JSON/],
    ['{"keys":[]}', /no usable key/],
    [' '.repeat(300 * 1024), /larger than 262144 bytes/],
  ] as const) {
    issuer.reply = { status: 200, body };
    assert.match(await failure(), cause);
  }
  issuer.reply = { status: 302, body: '' };
  assert.match(await failure(), /status 302/);
});

test('an outage of the issuer: known keys serve on; a reload keeps them and fetches nothing', async () => {
  const [issuer, origin] = [await startIssuer(), await startOrigin()];
  const spec = new SpecFile(specOf(origin.url, issuer, 'require_keys = true'));
  const running = await startGateway({ spec: spec.path });
  const token = await issuer.token();
  const { served, url } = issuer;
  await issuer.close();
  spec.write(specOf(origin.url, issuer, 'require_keys = true\nleeway = "10s"'));
  assert.is((await running.gateway.reload())?.outcome, 'live');
  assert.is((await bearer(running.url, token)).status, 200);
  assert.is(issuer.served, served);
  assert.is(dutyOf(running).failing, false);
  // Another URL is another state: nothing is known of it.
  spec.write(specOf(origin.url, issuer, 'require_keys = true').replace(`${url}/keys`, `${url}/other`));
  const rejected = await running.gateway.reload();
  assert.is(rejected?.outcome, 'rejected');
  assert.match(rejected?.diagnostics ?? '', /duty\/failed.*connection refused/);
  assert.is((await bearer(running.url, token)).status, 200);
  assert.is(running.gateway.snapshot().duties.length, 1);
});

test('inline, without a worker thread, the same', async () => {
  const [issuer, origin] = [await startIssuer(), await startOrigin()];
  const { url } = await startGateway({ spec: new SpecFile(specOf(origin.url, issuer)).path, inline: true });
  assert.is((await bearer(url, await issuer.token())).status, 200);
  await issuer.rotate();
  await until(async () => (await bearer(url, await issuer.token())).status === 200, 'the new key');
});

test('/metrics counts runs and failures of duties', async () => {
  const [issuer, origin] = [await startIssuer(), await startOrigin()];
  const { gateway } = await startGateway({ spec: new SpecFile(specOf(origin.url, issuer)).path, adminSocket: true });
  const { body } = await call('http://gw/metrics', { socketPath: gateway.adminSocket! });
  assert.match(body, /gw_duty_runs_total\{policy="tokens"\} 1/);
  assert.match(body, /gw_duty_failures_total\{policy="tokens"\} 0/);
  assert.match(body, /gw_duty_last_success_timestamp_seconds\{policy="tokens"\} 1/);
});

test.run();
