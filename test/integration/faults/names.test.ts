/** Target host names that do not resolve or have unreachable addresses. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import * as assert from 'uvu/assert';
import * as faults from '../../support/fault-target.js';
import { onlyWhere } from '../../support/only-where.js';
import { specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('target host names');
const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
const onIPv6 = onlyWhere(hasIPv6, 'IPv6 is not available', test);
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi';

test.before.each(({ target }) => {
  target.respond = faults.ok('by name');
});

test('a name that does not resolve: 502 without the name in the reply', async ({ plane }) => {
  await plane.load(specOf('http://nonexistent.invalid:80', { service: 'retries = 0\neject_after = 0' }));
  for (let turn = 0; turn < 3; turn++) {
    const reply = await plane.ask(GET);
    assert.is(reply.status, 502);
    assert.is(JSON.parse(reply.body.toString()).type, 'urn:gw:problem:upstream/unreachable');
    assert.not.match(reply.body.toString(), /nonexistent|ENOTFOUND|EAI_AGAIN|getaddrinfo/);
  }
});

test('a name that does not resolve beside a working target: requests succeed', async ({ target, plane }) => {
  await plane.load(specOf(['http://nonexistent.invalid:80', target.url], { service: 'retries = 1' }));
  for (let turn = 0; turn < 6; turn++) assert.is((await plane.ask(POST)).body.toString(), 'by name');
});

test('a name with several addresses: an address that refuses connections is skipped', async ({ target, plane }) => {
  // If localhost is also ::1, that address refuses connections on this port.
  await plane.load(specOf(`http://localhost:${target.port}`, { service: 'retries = 0' }));
  for (let turn = 0; turn < 3; turn++) assert.is((await plane.ask(POST)).body.toString(), 'by name');
});

onIPv6('an address of IPv6', async ({ plane }) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nsix'));
  });
  server.listen(0, '::1');
  await once(server, 'listening');
  await plane.load(specOf(`http://[::1]:${(server.address() as AddressInfo).port}`));
  assert.is((await plane.ask(GET)).body.toString(), 'six');
  await plane.close();
  server.close();
});

test.run();
