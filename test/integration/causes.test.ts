/** Causes of failed exchanges appear in log and snapshot, never in the reply to the client. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import * as assert from 'uvu/assert';
import { ERRORS, type ErrorSlug } from '../../src/proxy/errors/errors.js';
import * as faults from '../support/fault-target.js';
import { FullBacklog, refusingPort } from '../support/fault-target.js';
import { type Plane, type RawReply, specOf, until } from './engine-kit.js';
import { engineSuite } from './engine-suite.js';

const H = 'Host: a.example\r\n';
const GET = `GET / HTTP/1.1\r\n${H}\r\n`;
const UPGRADE = `GET / HTTP/1.1\r\n${H}Connection: upgrade\r\nUpgrade: echo/1\r\n\r\n`;
const SERVICE = 'retries = 0\neject_after = 0\nconnect_timeout = "300ms"\nresponse_timeout = "300ms"';

const test = engineSuite('causes', { service: SERVICE });

/** Asserts a problem with only the documented members. */
function saysNothing(reply: RawReply): void {
  assert.is(reply.header('content-type'), 'application/problem+json');
  const { type, title, detail, status, request_id, instance, ...more } = JSON.parse(reply.body.toString());
  const slug = String(type).replace('urn:gw:problem:', '') as ErrorSlug;
  assert.equal(
    { title, detail, status },
    { title: ERRORS[slug].title, detail: ERRORS[slug].detail, status: reply.status },
  );
  assert.is(request_id, reply.header('x-request-id'));
  assert.is(instance, `urn:gw:request:${request_id}`);
  assert.equal(more, {});
  const own = ['content-type', 'date', 'x-request-id', 'content-length', 'connection', 'cache-control', 'retry-after'];
  assert.equal(
    reply.fields.filter(([name]) => !own.includes(name)),
    [],
  );
}

async function causeOf(plane: Plane, request: string): Promise<string> {
  const reply = await plane.ask(request);
  saysNothing(reply);
  const { cause, error } = await plane.record((one) => one.error !== null);
  assert.ok(error);
  assert.ok((cause ?? '').length <= 200);
  assert.not.match(cause ?? '', /[\u0000-\u001f]/);
  return cause ?? '';
}

const HEAD = 'HTTP/1.1 200 OK\r\n';
const REPLIES: readonly (readonly [what: string, fault: faults.Fault, cause: RegExp])[] = [
  ['closes before its reply', faults.sayAndClose(), /^connection closed by the target before its reply$/],
  ['resets before its reply', faults.sayAndReset(), /^connection reset by the target before its reply$/],
  ['closes in its head', faults.sayAndClose('HTTP/1.1 200 OK\r\nConte'), /closed by the target within the head/],
  ['never answers', faults.never, /^response head timeout \(300 ms\)$/],
  ['hangs in its head', faults.say('HTTP/1.1 200 OK\r\nConte'), /^response head timeout: .*\(300 ms\)$/],
  ['says no HTTP', faults.say('220 mail.example ESMTP\r\n'), /^invalid reply: no HTTP status line at byte 0/],
  ['says HTTP/2', faults.say('HTTP/2.0 200 OK\r\n\r\n'), /HTTP version/],
  ['speaks TLS', faults.say('\x15\x03\x01\x00\x02\x02\x16'), /^invalid reply: a TLS record in place of HTTP/],
  [
    'has two lengths',
    faults.say(`${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`),
    /second Content-Length at byte 52/,
  ],
  ['has a bad length', faults.say(`${HEAD}Content-Length: x\r\n\r\n`), /Content-Length is not a number at byte 33/],
  [
    'has both framings',
    faults.say(`${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`),
    /Transfer-Encoding beside Content-Length/,
  ],
  ['has an unknown coding', faults.say(`${HEAD}Transfer-Encoding: gzip\r\n\r\n`), /Transfer-Encoding is not chunked/],
  [
    'has a control byte in a value',
    faults.say(`${HEAD}X-Foo: a\x01b\r\n\r\n`),
    /byte 0x01 in the value of field X-Foo at byte 25/,
  ],
  [
    'has a space before a colon',
    faults.say(`${HEAD}X-Foo : a\r\n\r\n`),
    /space before the colon of field X-Foo at byte 22/,
  ],
  ['folds a line', faults.say(`${HEAD}X-Foo: a\r\n b\r\n\r\n`), /folded line.* at byte 27/],
  ['has a bad status', faults.say('HTTP/1.1 700 OK\r\n\r\n'), /status code is not between 100 and 599 at byte 9/],
  ['has an endless head', faults.say(`${HEAD}${'a: b\r\n'.repeat(40_000)}`), /more than 256 fields/],
  ['switches unasked', faults.say('HTTP/1.1 101 S\r\nupgrade: x\r\n\r\n'), /status 101 without a request to upgrade/],
  [
    'has a bad chunk',
    faults.say(`${HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`),
    /invalid chunk size \(byte 0x78\) at byte 0 of the body/,
  ],
];

for (const [what, fault, cause] of REPLIES)
  test(`a target that ${what}`, async ({ target, plane }) => {
    target.respond = fault;
    assert.match(await causeOf(plane, GET), cause);
  });

for (const [what, fault, cause] of [
  ['closes', faults.sayAndClose(), /^connection closed by the target before the head of its reply was complete$/],
  [
    'closes in its head',
    faults.sayAndClose('HTTP/1.1 200 OK\r\nConte'),
    /^connection closed by the target before the head/,
  ],
  ['resets', faults.sayAndReset(), /^connection reset by the target before the head of its reply was complete$/],
] as const)
  test(`the cause of an unanswered upgrade names the end of its connection: a target that ${what}`, async ({
    target,
    plane,
  }) => {
    target.respond = fault;
    assert.match(await causeOf(plane, UPGRADE), cause);
  });

for (const [what, fault, cause] of [
  ['hangs in a body', faults.say(`${HEAD}Content-Length: 9\r\n\r\nabc`), /^response idle timeout: .*\(300 ms\)$/],
  [
    'closes in a body',
    faults.sayAndClose(`${HEAD}Content-Length: 9\r\n\r\nabc`),
    /closed by the target within the body/,
  ],
  [
    'resets in a body',
    faults.sayAndReset(`${HEAD}Content-Length: 9\r\n\r\nabc`),
    /(closed|reset) by the target within the body/,
  ],
  [
    'turns to garbage',
    faults.sayInTurn(`${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`, 'what?'),
    /invalid chunk size/,
  ],
] as const)
  test(`an aborted reply has its cause: a target that ${what}`, async ({ target, plane }) => {
    target.respond = fault;
    const client = plane.client();
    client.send(GET);
    await client.end();
    assert.match((await plane.record(({ error }) => error !== null)).cause ?? '', cause);
  });

const REQUESTS: readonly (readonly [what: string, request: string, status: number, cause: RegExp])[] = [
  ['no version', 'GET /\r\n\r\n', 400, /no HTTP version \(HTTP\/0\.9\) at byte 5/],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${H}\r\n`, 505, /HTTP version 2\.0 at byte 6/],
  [
    'a space before a colon',
    `GET / HTTP/1.1\r\n${H}X-A : b\r\n\r\n`,
    400,
    /space before the colon of field X-A at byte 36/,
  ],
  ['a folded line', `GET / HTTP/1.1\r\n${H}X-A: b\r\n c\r\n\r\n`, 400, /folded line.* at byte 41/],
  ['a NUL', `GET / HTTP/1.1\r\n${H}X-A: b\0\r\n\r\n`, 400, /byte 0x00 in the value of field X-A at byte 39/],
  [
    'a bare LF',
    `GET / HTTP/1.1\r\n${H}X-A: b\nX: c\r\n\r\n`,
    400,
    /LF without CR in the value of field X-A at byte 39/,
  ],
  ['a fragment', `GET /a#b HTTP/1.1\r\n${H}\r\n`, 400, /fragment in the request target at byte 6/],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, /no Host at byte 16/],
  ['two Hosts', `GET / HTTP/1.1\r\n${H}${H}\r\n`, 400, /second Host at byte 39/],
  ['a bad Host', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400, /Host is not a valid host at byte 22/],
  [
    'two lengths',
    `POST / HTTP/1.1\r\n${H}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`,
    400,
    /second Content-Length/,
  ],
  [
    'both framings',
    `POST / HTTP/1.1\r\n${H}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    400,
    /Transfer-Encoding beside Content-Length/,
  ],
  [
    'an unknown coding',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n`,
    501,
    /Transfer-Encoding is not chunked/,
  ],
  ['an expectation', `GET / HTTP/1.1\r\n${H}Expect: 200-ok\r\n\r\n`, 417, /Expect is not 100-continue/],
  [
    'an underscore',
    `GET / HTTP/1.1\r\n${H}X_Forwarded_For: a\r\n\r\n`,
    400,
    /underscore in the name of field X_Forwarded_For/,
  ],
  [
    'a long target',
    `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${H}\r\n`,
    414,
    /request target above 16384 bytes \(max_target\)/,
  ],
  [
    'a large head',
    `GET / HTTP/1.1\r\n${H}X: ${'a'.repeat(40_000)}\r\n\r\n`,
    431,
    /head above 32768 bytes \(max_header\)/,
  ],
  ['many fields', `GET / HTTP/1.1\r\n${H}${'X: a\r\n'.repeat(101)}\r\n`, 431, /more than 100 fields \(max_headers\)/],
  ['CONNECT', 'CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n', 501, /unsupported CONNECT target/],
  [
    'a large body',
    `POST / HTTP/1.1\r\n${H}Content-Length: 9999999999\r\n\r\n`,
    413,
    /Content-Length 9999999999 is above .*max_body/,
  ],
  [
    'a bad chunk',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    400,
    /invalid chunk size \(byte 0x7a\) at byte 0/,
  ],
  ['a path above the root', `GET /../../a HTTP/1.1\r\n${H}\r\n`, 400, /./],
];

for (const [what, request, status, cause] of REQUESTS)
  test(`a request with ${what}: ${status}, and its cause is logged`, async ({ plane }) => {
    assert.match(await causeOf(plane, request), cause);
    assert.is(plane.records.find(({ error }) => error !== null)?.status, status);
  });

test('a request whose head or body stalls has its cause', async ({ target, plane, time }) => {
  target.respond = faults.never;
  await plane.load(
    specOf(target.url, { listener: 'header_timeout = "1s"\nbody_timeout = "1s"\nmin_body_rate = "0B"' }),
  );
  for (const [text, cause] of [
    ['GET / HTTP/1.1\r\nHo', /^request head timeout \(1 s, header_timeout\)$/],
    [`POST / HTTP/1.1\r\n${H}Content-Length: 9\r\n\r\nab`, /^request body timeout \(1 s, body_timeout\)$/],
  ] as const) {
    plane.records.length = 0;
    const client = plane.client();
    client.send(text);
    const timer = setInterval(() => time.pass(100), 20);
    saysNothing(await client.reply());
    clearInterval(timer);
    client.destroy();
    assert.match((await plane.record(({ error }) => error !== null)).cause ?? '', cause);
  }
});

for (const request of [GET, UPGRADE]) {
  const what = request === GET ? 'a request' : 'an upgrade';
  test(`${what} to an unreachable target has its cause`, async ({ plane }) => {
    const full = await FullBacklog.start();
    for (const [url, cause] of [
      [`http://127.0.0.1:${await refusingPort()}`, /^connection refused$/],
      ['http://nowhere.invalid:80', /^unknown host nowhere\.invalid$|name lookup/],
      [full.url, /^connect timeout \(300 ms\)$/],
    ] as const) {
      await plane.load(specOf(url, { service: SERVICE }));
      plane.records.length = 0;
      assert.match(await causeOf(plane, request), cause);
      await until(() => plane.failures.get(url) !== undefined, 'the failure');
      assert.match(plane.failures.get(url) ?? '', cause);
    }
    await full.close();
  });

  test(`${what} to a target with failing TLS has its cause`, async ({ plane }) => {
    const file = (name: string): Buffer => readFileSync(join(process.cwd(), 'test/integration/fixtures', name));
    const key = file('tls-key.pem');
    const faulty: readonly (readonly [TlsOptions | 'plain' | 'silent' | 'closes', RegExp])[] = [
      [{ cert: file('tls-expired-cert.pem'), key }, /^(certificate expired|self-signed certificate)$/],
      [{ cert: file('tls-future-cert.pem'), key }, /^(certificate not yet valid|self-signed certificate)$/],
      [{ cert: file('tls-cert.pem'), key }, /^self-signed certificate$/],
      [
        { cert: file('tls-cert.pem'), key, ciphers: 'AES128-SHA', maxVersion: 'TLSv1.2' },
        /^TLS handshake failed: handshake refused.*cipher/,
      ],
      [
        { cert: file('tls-cert.pem'), key, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
        /no TLS version in common/,
      ],
      ['plain', /^TLS handshake failed: the target does not speak TLS$/],
      ['silent', /^TLS handshake timeout \(300 ms\)$/],
      ['closes', /closed .*during the TLS handshake|closed during the handshake|connection reset/],
    ];
    for (const [how, cause] of faulty) {
      const server = how === 'plain' || how === 'silent' || how === 'closes' ? plainServer(how) : createTlsServer(how);
      server.on('tlsClientError', () => {});
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      await plane.load(specOf(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, { service: SERVICE }));
      plane.records.length = 0;
      const said = await causeOf(plane, request);
      server.close();
      assert.match(said, cause, said);
    }
  });
}

function plainServer(how: 'plain' | 'silent' | 'closes'): Server {
  return createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => {
      if (how === 'plain') socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      else if (how === 'closes') socket.end();
    });
  });
}

test('a log line of an ejection names the cause', async ({ plane }) => {
  const url = `http://127.0.0.1:${await refusingPort()}`;
  await plane.load(specOf(url, { service: 'retries = 0\neject_after = 2' }));
  for (let i = 0; i < 2; i++) assert.is((await plane.ask(GET)).status, 502);
  const line = plane.logs.find(({ message }) => message === 'target ejected after 2 consecutive failures');
  assert.is(line?.fields?.['cause'], 'connection refused');
  assert.is(line?.fields?.['target'], url);
});

test('a successful exchange has no cause, even after a failed attempt', async ({ target, plane }) => {
  const dead = `http://127.0.0.1:${await refusingPort()}`;
  await plane.load(specOf([dead, target.url], { service: 'retries = 1\neject_after = 0' }));
  for (let i = 0; i < 2; i++) assert.is((await plane.ask(GET)).status, 200);
  await until(() => plane.records.length === 2, 'the records');
  for (const { error, cause } of plane.records) assert.equal([error, cause], [null, null]);
  await until(() => plane.failures.has(dead), 'the failure of the target');
});

test('a full queue and a client disconnect have their causes', async ({ target, plane }) => {
  target.respond = faults.never;
  await plane.load(specOf(target.url, { service: 'max_connections = 1\nmax_queue = 0\nretries = 0' }));
  const first = plane.client();
  first.send(GET);
  await until(() => target.arrived.length === 1, 'the first request');
  assert.match(await causeOf(plane, GET), /^queue full: 0 requests wait for 1 connections$/);
  plane.records.length = 0;
  first.socket.resetAndDestroy();
  const { cause } = await plane.record(({ error }) => error === 'downstream/aborted');
  assert.match(cause ?? '', /^connection (closed|reset) by the client before the end of its reply$/);
});

test.run();
