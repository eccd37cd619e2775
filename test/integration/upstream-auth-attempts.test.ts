/** What upstream-auth signs is what the target gets: fields that gw writes itself, calls, handshakes of upgrades. */
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { closeAll, removeFolders, SpecFile, startGateway, until } from './control-kit.js';
import { closeServers, type Got, startIssuer, startServer } from './upstream-kit.js';

test.after.each(async () => {
  await closeAll();
  await closeServers();
});
test.after(removeFolders);

const HMAC = 'h'.repeat(40);
process.env['ATTEMPTS_TEST_HMAC'] = HMAC;

const signature = (components: readonly string[]): string =>
  `signature = { key_id = "gw", key = "\${env:ATTEMPTS_TEST_HMAC}", algorithm = "hmac-sha256", components = ${JSON.stringify(components)} }`;

const specOf = (target: string, policy: string, more = ''): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1"]
[service.orders]
targets = ["${target}"]
policies = ["sign"]
[policy.sign]
use = "upstream-auth"
${policy}
${more}
[[route]]
name = "orders"
match = "/orders"
to = "orders"
`;

/** The first reply to a request in plain text, and what follows it for a moment. */
function exchange(port: number, lines: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('data', (text: string) => {
      resolve(text);
      socket.destroy();
    });
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  });
}

/** The fields that the signature covers. Asserts that it is right for what the server got. */
function verified({ request }: Got): readonly string[] {
  const { headers, rawHeaders } = request;
  const params = String(headers['signature-input']).slice('sig1='.length);
  const names = [...params.slice(0, params.indexOf(')')).matchAll(/"([^"]+)"/g)].map(([, name]) => name!);
  const valuesOf = (name: string): string =>
    rawHeaders
      .flatMap((text, at) => (at % 2 === 0 && text.toLowerCase() === name ? rawHeaders[at + 1]! : []))
      .join(', ');
  const lines = names.map((name) => `"${name}": ${name === '@method' ? request.method : valuesOf(name)}`);
  const base = [...lines, `"@signature-params": ${params}`].join('\n');
  assert.is(headers['signature'], `sig1=:${createHmac('sha256', HMAC).update(base, 'latin1').digest('base64')}:`);
  return names;
}

test('fields that gw writes for its hop are signed as the target gets them', async () => {
  const target = await startServer((_got, response) => response.end('ok'));
  const written = ['via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-request-id', 'forwarded'];
  const policy = signature(['@method', ...written, 'max-forwards', 'x-real-ip', 'content-length', 'expect', 'te']);
  const { port } = await startGateway({ spec: new SpecFile(specOf(target.url, policy)).path });
  const begin = ['OPTIONS /orders HTTP/1.1', 'Host: shop.example'];
  const proxied = [
    'Via: 1.1 proxy',
    'X-Forwarded-For: 192.0.2.1',
    'X-Request-Id: from-the-proxy',
    'X-Real-IP: 192.0.2.1',
  ];
  await exchange(port, begin);
  await exchange(port, [...begin, ...proxied, 'Max-Forwards: 5', 'TE: trailers']);
  await exchange(port, [...begin, 'Forwarded: for=192.0.2.1']);
  await exchange(port, [...begin, 'Expect: 100-continue', 'Content-Length: 2', '', 'ab']);
  await until(() => target.got.length === 4, 'four requests');
  const always = ['@method', ...written.slice(0, -1)];
  assert.equal(target.got.map(verified), [
    always,
    [...always, 'max-forwards', 'x-real-ip'],
    [...always, 'forwarded'],
    [...always, 'content-length', 'content-digest'],
  ]);
  assert.is(target.got[1]!.request.headers['via'], '1.1 proxy, 1.1 gw');
});

test('fields that gw writes into calls are signed too', async () => {
  const auth = await startServer((_got, response) => response.end());
  const target = await startServer((_got, response) => response.end('ok'));
  const asks = `[service.auth]
targets = ["${auth.url}"]
policies = ["sign"]
[policy.asks]
use = "forward-auth"
service = "auth"`;
  const policy = signature(['@method', 'via', 'x-request-id', 'x-forwarded-uri', 'content-length']);
  const text = `${specOf(target.url, policy, asks)}policies = ["asks"]\n`;
  const { port } = await startGateway({ spec: new SpecFile(text).path });
  assert.match(await exchange(port, ['GET /orders?a=1 HTTP/1.1', 'Host: shop.example']), /^HTTP\/1\.1 200 /);
  assert.equal(auth.got.map(verified), [['@method', 'via', 'x-request-id', 'x-forwarded-uri']]);
});

test('the handshake of a WebSocket is repeated once after a 401, with another token', async () => {
  process.env['ATTEMPTS_TEST_SECRET'] = 'the-secret-of-the-client';
  const issuer = await startIssuer();
  const target = await startServer((_got, response) => response.end());
  const tokens: string[] = [];
  let refused: readonly string[] = [];
  target.server.on('upgrade', (request, socket) => {
    const token = String(request.headers['authorization']);
    tokens.push(token);
    socket.end(
      refused.includes(token) || refused.includes('*')
        ? 'HTTP/1.1 401 Unauthorized\r\ncontent-length: 3\r\n\r\nno!'
        : 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo/1\r\n\r\n',
    );
  });
  const policy = `oauth2 = { token_url = "${issuer.url}/token", client_id = "gw", client_secret = "\${env:ATTEMPTS_TEST_SECRET}" }`;
  const { port, gateway } = await startGateway({ spec: new SpecFile(specOf(target.url, policy)).path });
  const handshake = ['GET /orders HTTP/1.1', 'Host: shop.example', 'Connection: upgrade', 'Upgrade: echo/1'];
  const open = async (): Promise<string> =>
    (
      await exchange(port, [...handshake, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'])
    ).slice(9, 12);
  assert.is(await open(), '101');
  refused = [tokens[0]!];
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.is(await open(), '101');
  assert.equal([tokens.length, new Set(tokens).size, issuer.forms.length], [3, 2, 2]);
  refused = ['*'];
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.is(await open(), '401');
  assert.is(tokens.length, 5);
  const counts = () => gateway.snapshot().targets.find(({ service }) => service === 'orders')!;
  await until(() => counts().inFlight === 0, 'the end of all attempts');
  assert.equal([counts().requests, counts().failures], [5, 0]);
});

test.run();
