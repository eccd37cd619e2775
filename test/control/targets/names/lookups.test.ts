import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemLookups } from '../../../../src/control/targets/names/lookups.js';
import { DnsServer } from '../../../support/dns-server.js';

interface Context {
  server: DnsServer;
}
const test = suite<Context>('lookups');

test.before.each(async (context) => {
  context.server = await DnsServer.start();
});
test.after.each(({ server }) => server.close());

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: NodeJS.ErrnoException) => String(error.code),
  );

test('the addresses of both families have their times to live', async ({ server }) => {
  const lookups = systemLookups(server.resolver());
  server.set('orders.test', ['10.0.0.1', '2001:db8::7', '10.0.0.2'], 17);
  assert.equal(await lookups.timed('orders.test'), [
    { address: '10.0.0.1', ttl: 17 },
    { address: '10.0.0.2', ttl: 17 },
    { address: '2001:db8::7', ttl: 17 },
  ]);
  server.set('four.test', ['10.0.0.1'], 5);
  assert.equal(await lookups.timed('four.test'), [{ address: '10.0.0.1', ttl: 5 }]);
});

test('a truncated answer is asked for again over TCP', async ({ server }) => {
  server.set(
    'many.test',
    Array.from({ length: 100 }, (_, at) => `10.0.0.${at + 1}`),
    3,
  );
  server.truncated = true;
  assert.is((await systemLookups(server.resolver()).timed('many.test')).length, 100);
  assert.ok(server.asked.some(({ question, over }) => question === 'A many.test' && over === 'tcp'));
});

test('what DNS does not know, or cannot say, is an error', async ({ server }) => {
  const lookups = systemLookups(server.resolver());
  assert.is(await codeOf(lookups.timed('unknown.test')), 'ENOTFOUND');
  server.set('broken.test', ['10.0.0.1']);
  server.rcode = 'servfail';
  assert.is(await codeOf(lookups.timed('broken.test')), 'ESERVFAIL');
  server.silent = true;
  assert.is(await codeOf(lookups.timed('broken.test')), 'ETIMEOUT');
});

test('SRV records', async ({ server }) => {
  const record = { type: 'SRV', ttl: 5, priority: 1, weight: 2, port: 8080, name: 'one.test' } as const;
  server.records.set('_http._tcp.orders.test', [record]);
  const [found] = await systemLookups(server.resolver()).services('_http._tcp.orders.test');
  assert.equal([found?.priority, found?.weight, found?.port, found?.name], [1, 2, 8080, 'one.test']);
});

test('addresses come from the hosts file too, and from no DNS server if they are there', async ({ server }) => {
  const found = await systemLookups(server.resolver()).addresses('localhost');
  assert.ok(found.some(({ address }) => address === '127.0.0.1' || address === '::1'));
  assert.is((await codeOf(systemLookups().addresses('nothing.invalid'))) === 'none', false);
  assert.equal(server.asked, []);
});

test('an address of this machine can be reached, without a packet', async ({ server }) => {
  assert.is(await systemLookups(server.resolver()).reachable('127.0.0.1'), true);
  assert.is(await systemLookups(server.resolver()).reachable('255.255.255.255.1'), false);
});

test.run();
