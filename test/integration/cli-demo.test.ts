/** The README's curl and gw commands give the documented output, run against `gw serve` of the root gateway.toml. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GW, runProgram, ServedGateway } from '../support/gw-process.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';
import { call } from './control-kit.js';

interface Example {
  readonly line: number;
  readonly command: string;
  /** `...` matches any text within a line; on its own line, any lines. */
  readonly expected: readonly string[];
}

/** The `$ curl` and `$ gw` commands of the README's console blocks, with the output below each. */
function examples(markdown: string): Example[] {
  const found: { line: number; command: string; expected: string[] }[] = [];
  let inBlock = false;
  for (const [index, line] of markdown.split('\n').entries()) {
    if (line.startsWith('```')) inBlock = line === '```console';
    else if (inBlock && line.startsWith('$ ')) found.push({ line: index + 1, command: line.slice(2), expected: [] });
    else if (inBlock && line.startsWith('> ')) found.at(-1)!.command += `\n${line.slice(2)}`;
    else if (inBlock) found.at(-1)?.expected.push(line);
  }
  return found.filter(({ command }) => /\bcurl\b|^gw /.test(command));
}

/** The expected lines as a pattern for the whole output. */
function pattern(expected: readonly string[]): RegExp {
  const lines = expected.map((line) => {
    if (line === '...') return '(?:.*\n)*?';
    return `${line
      .split('...')
      .map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('.*')}\n`;
  });
  return new RegExp(`^${lines.join('')}$`);
}

const all = examples(readFileSync('README.md', 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'gw-demo-'));
let gateway: ServedGateway | undefined;

test.before(async () => {
  const overlay = join(folder, 'free-port.toml');
  const address = `127.0.0.1:${await freePort()}`;
  const site = `http://${address}`;
  writeFileSync(
    overlay,
    `[listener.main]
address = "${address}"
[policy.sessions]
jwks = "${site}/.well-known/jwks.json"
[policy.login]
issuer = "${site}/id"
base_url = "${site}"
[service.id.run.env]
ISSUER = "${site}/id"
SITE = "${site}"
`,
  );
  gateway = await ServedGateway.start(['--no-access-log', '--overlay', overlay]);
});

test.after(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true });
});

test('the README shows a success, a 401 and a 429', () => {
  const text = all.flatMap(({ expected }) => expected).join('\n');
  assert.ok(all.length >= 6);
  for (const status of ['200', '401', '429']) assert.match(text, status);
});

for (const { line, command, expected } of all) {
  test(`README.md:${line}: ${command}`, async () => {
    assert.ok(gateway);
    const script = command.replaceAll('http://127.0.0.1:8080', gateway.url).replace(/^gw /, `"${GW}" `);
    assert.is.not(script, command, 'it must ask this gateway, or be gw');
    const { out, err, code } = await runProgram('bash', ['-c', script]);
    assert.is(code, 0, err);
    const shown = out.replaceAll('\r', '').replace(/([^\n])$/, '$1\n');
    assert.ok(pattern(expected).test(shown), `expected\n${expected.join('\n')}\nbut got\n${shown}`);
  });
}

test('the catalogue is compressed, and timed by the policy of the shop', async () => {
  const url = `${gateway!.url}/products`;
  const reply = await fetch(url, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal([reply.status, reply.headers.get('content-encoding')], [200, 'gzip']);
  assert.ok(((await reply.json()) as { items: unknown[] }).items.length > 0);
  assert.match(reply.headers.get('server-timing') ?? '', /^shop;dur=\d+$/);
  const plain = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
  assert.is(plain.headers.get('content-encoding'), null);
});

test('one request of a mobile client becomes four, for the caller, and says what it is made of', async () => {
  const url = `${gateway!.url}/mobile/products/1`;
  assert.is((await fetch(url)).status, 401);
  const reply = await fetch(url, { headers: { 'x-api-key': 'acme-demo-key', 'x-tenant': 'globex' } });
  const { orders, ...rest } = (await reply.json()) as { orders: { id: number }[] };
  assert.equal(rest, {
    product: { id: 1, name: 'Walnut desk', price: 42900, currency: 'EUR' },
    stock: 7,
    stars: 4.5,
    reviews: [
      { stars: 5, text: 'Solid, and easy to assemble.' },
      { stars: 4, text: 'Good desk, heavy parcel.' },
    ],
  });
  assert.ok(orders.length > 0 && orders.length <= 3 && orders.every(({ id }) => id !== 1003));
  assert.is(reply.headers.get('x-served-by'), 'gw');
  const tag = reply.headers.get('etag') ?? '';
  const again = await fetch(url, { headers: { 'x-api-key': 'acme-demo-key', 'if-none-match': tag } });
  assert.is(again.status, 304);
  const gone = await fetch(`${gateway!.url}/mobile/products/99`, { headers: { 'x-api-key': 'acme-demo-key' } });
  assert.is(gone.status, 404);
  assert.match(((await gone.json()) as { call: string }).call, /^(?:product|stock)$/, 'the first that fails');
});

test('a customer logs in, and the token is verified with the key set of the service', async () => {
  const { url } = gateway!;
  assert.is((await fetch(`${url}/me`)).status, 401);
  const body = JSON.stringify({ email: 'ada@acme.example', password: 'demo' });
  const session = await fetch(`${url}/sessions`, { method: 'POST', body });
  assert.is(session.status, 201);
  const { token } = (await session.json()) as { token: string };
  const me = (given: string) => fetch(`${url}/me`, { headers: { authorization: `Bearer ${given}` } });
  // The gateway serves the key set itself, so it fetches it only after its start.
  await until(async () => (await me(token)).status === 200, 'the key set', 15_000);
  assert.is(((await (await me(token)).json()) as { name: string }).name, 'Ada Novak');
  assert.is((await me(`${token.slice(0, -8)}AAAAAAAA`)).status, 401);
});

/** A browser without a screen: follows redirects, and keeps cookies. */
class Visitor {
  readonly #cookies = new Map<string, string>();

  async open(url: string, form?: string): Promise<{ url: string; status: number; text: string }> {
    const headers = {
      accept: 'text/html',
      cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    };
    const method = form === undefined ? 'GET' : 'POST';
    // fetch() would say that it is a script.
    const reply = await call(url, { method, headers, ...(form === undefined ? {} : { body: form }) });
    for (const line of reply.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/max-age=0/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    const { location } = reply.headers;
    if (location !== undefined) return this.open(new URL(location, url).href);
    return { url, status: reply.status, text: reply.body };
  }
}

test('a customer signs in on the page of the issuer, sees the account, and signs out', async () => {
  const { url } = gateway!;
  assert.is((await fetch(`${url}/account`)).status, 401, 'a program gets no page');
  const visitor = new Visitor();
  // The gateway serves the issuer itself, so it knows it only after its start.
  await until(async () => (await visitor.open(`${url}/account`)).status === 200, 'the issuer', 15_000);
  const page = await visitor.open(`${url}/account`);
  assert.match(page.text, '<h1>Sign in</h1>');
  const action = /action="([^"]+)"/.exec(page.text)![1]!.replaceAll('&#38;', '&');
  const wrong = await visitor.open(action, 'email=ada%40acme.example&password=guess');
  assert.equal([wrong.status, /Email or password is wrong/.test(wrong.text)], [401, true]);
  const account = await visitor.open(action, 'email=ada%40acme.example&password=demo');
  assert.is(account.url, `${url}/account`);
  assert.is((JSON.parse(account.text) as { name: string }).name, 'Ada Novak');
  assert.match((await visitor.open(`${url}/oauth2/logout`)).text, 'Signed out');
  assert.match((await visitor.open(`${url}/account`)).text, '<h1>Sign in</h1>');
});

test('a partner signs its order; an unsigned one is refused', async () => {
  const { url } = gateway!;
  const sent = await runProgram(process.execPath, ['fixtures/demo/partner.js', url]);
  assert.is(sent.code, 0, sent.err);
  const [status, order = ''] = sent.out.split('\n');
  assert.is(status, '201');
  assert.is((JSON.parse(order) as { tenant: string }).tenant, 'initech');
  const unsigned = await fetch(`${url}/partner/orders`, { method: 'POST', body: '{"lines":[]}' });
  assert.is(unsigned.status, 401);
  assert.match(unsigned.headers.get('accept-signature') ?? '', '"content-digest"');
});

test('an order that does not match its schema is refused with every failing field', async () => {
  const reply = await fetch(`${gateway!.url}/orders`, {
    method: 'POST',
    headers: { 'x-api-key': 'globex-demo-key', 'content-type': 'application/json' },
    body: '{"lines":[{"product":"two","quantity":0}]}',
  });
  assert.is(reply.status, 400);
  const text = await reply.text();
  assert.match(text, '/lines/0/product');
  assert.match(text, '/lines/0/quantity');
});

test('the home page redirects to the catalogue', async () => {
  const reply = await fetch(`${gateway!.url}/?page=2`, { redirect: 'manual' });
  assert.equal([reply.status, reply.headers.get('location')], [302, '/products?page=2']);
});

test('the gateway and its services end in order', async () => {
  assert.is(await gateway?.stop(), 0);
  gateway = undefined;
});

test.run();
