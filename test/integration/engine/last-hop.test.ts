/** Requests that gw answers itself: OPTIONS *, Max-Forwards 0, an https URL without TLS. */
import * as assert from 'uvu/assert';
import { specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const H = 'Host: a.example\r\n';

const test = engineSuite('the last hop');

test('OPTIONS for the whole server is answered by gw, in both forms', async ({ target, plane }) => {
  const client = plane.client();
  for (const form of ['*', 'http://a.example', 'http://a.example:80']) {
    client.send(`OPTIONS ${form} HTTP/1.1\r\n${H}\r\n`);
    const reply = await client.reply();
    assert.is(reply.status, 204, form);
    assert.is(reply.header('content-length'), undefined);
  }
  client.destroy();
  assert.is(target.arrived.length, 0);
  assert.is((await plane.record(({ method }) => method === 'OPTIONS')).error, null);
  await plane.ask(`OPTIONS http://a.example/ HTTP/1.1\r\n${H}\r\n`);
  assert.is(target.arrived[0]!.url, '/');
});

test('Max-Forwards is decremented for TRACE and OPTIONS only', async ({ target, plane }) => {
  const forwards = async (method: string, given: string): Promise<string | undefined> => {
    const reply = await plane.ask(`${method} /x HTTP/1.1\r\n${H}Max-Forwards: ${given}\r\n\r\n`);
    assert.is(reply.status, 200);
    return target.arrived.at(-1)!.header('max-forwards');
  };
  assert.is(await forwards('OPTIONS', '10'), '9');
  assert.is(await forwards('TRACE', '1'), '0');
  assert.is(await forwards('GET', '0'), '0');
  // A value over the maximum becomes the maximum.
  assert.is(await forwards('OPTIONS', '0009007199254740992'), '9007199254740991');
  assert.is(await forwards('TRACE', '99999999999999999999'), '9007199254740991');
  assert.is(await forwards('POST', 'x'), 'x');
});

test('at Max-Forwards 0 gw answers instead of the target', async ({ target, plane }) => {
  const any = await plane.ask(`OPTIONS /any HTTP/1.1\r\n${H}Max-Forwards: 0\r\n\r\n`);
  assert.is(any.status, 204);
  assert.is(any.header('allow'), undefined);
  await plane.load(specOf(target.url).replace('"/{rest...}"', '"GET /only"'));
  const options = await plane.ask(`OPTIONS /only HTTP/1.1\r\n${H}Max-Forwards: 0\r\n\r\n`);
  assert.is(options.status, 204);
  assert.match(options.header('allow') ?? '', /GET/);
  const trace = await plane.ask(`TRACE /only HTTP/1.1\r\n${H}Max-Forwards: 0\r\nCookie: secret\r\n\r\n`);
  assert.is(trace.status, 405);
  assert.match(trace.header('allow') ?? '', /GET/);
  assert.not.match(trace.body.toString(), /secret/);
  assert.is(target.arrived.length, 0);
});

test('TRACE at Max-Forwards 0: the methods of the route, or 404 without a route', async ({ target, plane }) => {
  const ask = (method: string, path: string) => plane.ask(`${method} ${path} HTTP/1.1\r\n${H}Max-Forwards: 0\r\n\r\n`);
  const any = await ask('TRACE', '/any');
  assert.is(any.status, 405);
  assert.is(any.header('allow'), 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT');
  await plane.load(specOf(target.url).replace('"/{rest...}"', '"TRACE /only"'));
  assert.is((await ask('TRACE', '/only')).header('allow'), '');
  for (const method of ['TRACE', 'OPTIONS']) assert.is((await ask(method, '/none')).status, 404, method);
  assert.is(target.arrived.length, 0);
});

test('an https URL on a connection without TLS: 421', async ({ target, plane }) => {
  const refused = await plane.ask(`GET https://a.example/ HTTP/1.1\r\n${H}\r\n`);
  assert.is(refused.status, 421);
  assert.is(JSON.parse(refused.body.toString()).type, 'urn:gw:problem:request/misdirected');
  assert.is(target.arrived.length, 0);
  // A trusted proxy terminated TLS, or says https whatever its client used, as HAProxy does by HTTP/2.
  await plane.load(specOf(target.url, { listener: 'trusted_proxies = ["127.0.0.1"]' }));
  assert.is((await plane.ask(`GET https://a.example/ HTTP/1.1\r\n${H}\r\n`)).status, 200);
  const passed = await plane.ask(`GET https://a.example/ HTTP/1.1\r\n${H}X-Forwarded-Proto: https\r\n\r\n`);
  assert.is(passed.status, 200);
  assert.is(target.arrived[0]!.url, '/');
});

test.run();
