/** Names of targets: their lookups, and the endpoints that come of them. */
import type { LookupAddress } from 'node:dns';
import { isIPv6 } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expand } from '../../../../src/control/targets/names/expand.js';
import type { Lookups, TimedAddress } from '../../../../src/control/targets/names/lookups.js';
import { hostOf, Names } from '../../../../src/control/targets/names/names.js';
import { ManualTime } from '../../../support/manual-time.js';
import { KeptLog } from '../../kit.js';

const test = suite('names of targets');

/** Lookups that a test answers. `system`: of getaddrinfo; `dns`: with TTLs; a string: an error code. */
function bed() {
  const system = new Map<string, readonly string[] | string>();
  const dns = new Map<string, readonly TimedAddress[]>();
  const unreachable = new Set<string>();
  const asked: string[] = [];
  const lookups: Lookups = {
    async addresses(name): Promise<readonly LookupAddress[]> {
      asked.push(name);
      const found = system.get(name) ?? 'ENOTFOUND';
      if (typeof found === 'string') throw Object.assign(new Error(found), { code: found, hostname: name });
      return found.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
    },
    async timed(name) {
      const found = dns.get(name);
      if (found === undefined) throw new Error('not in DNS');
      return found;
    },
    services: async () => [],
    reachable: async (address) => !unreachable.has(address),
  };
  const time = new ManualTime();
  const log = new KeptLog();
  const changed: string[] = [];
  const names = new Names({ lookups, clock: time.clock, after: time.after, random: () => 0, log }, (host) =>
    changed.push(host),
  );
  const of = (name: string): readonly string[] | undefined => names.get(name)?.addresses;
  return { system, dns, unreachable, asked, time, log, changed, names, of };
}

test('a name is looked up again when its time to live is over, or after ten seconds', async () => {
  const { system, dns, asked, time, names, of } = bed();
  system.set('a', ['10.0.0.2', '10.0.0.1', '10.0.0.1']);
  dns.set('a', [
    { address: '10.0.0.1', ttl: 40 },
    { address: '10.0.0.2', ttl: 30 },
  ]);
  system.set('hosts', ['10.0.0.9']);
  names.use(
    new Map([
      ['a', undefined],
      ['hosts', undefined],
    ]),
  );
  await time.pass(0);
  assert.equal([of('a'), of('hosts')], [['10.0.0.1', '10.0.0.2'], ['10.0.0.9']]);
  await time.pass(29_999);
  assert.equal(asked, ['a', 'hosts', 'hosts', 'hosts'], 'the name in the hosts file every ten seconds');
  await time.pass(1);
  assert.is(asked.filter((name) => name === 'a').length, 2);
});

test('addresses that DNS does not confirm do not last as long as it says; neither does a shorter refresh', async () => {
  const { system, dns, asked, time, names } = bed();
  for (const name of ['completed', 'short', 'never']) dns.set(name, [{ address: '10.0.0.1', ttl: 600 }]);
  system.set('completed', ['10.9.9.9']);
  system.set('short', ['10.0.0.1']);
  dns.set('never', [{ address: '10.0.0.1', ttl: 0 }]);
  system.set('never', ['10.0.0.1']);
  names.use(
    new Map([
      ['completed', undefined],
      ['short', 3000],
      ['never', undefined],
    ]),
  );
  await time.pass(10_000);
  const count = (name: string): number => asked.filter((one) => one === name).length;
  assert.equal([count('completed'), count('short'), count('never')], [2, 4, 11]);
});

test('a failed lookup keeps the last addresses, and is repeated', async () => {
  const { system, log, time, names, changed, of } = bed();
  system.set('a', ['10.0.0.1']);
  names.use(new Map([['a', undefined]]));
  await time.pass(0);
  system.set('a', 'EAI_AGAIN');
  await time.pass(60_000);
  assert.equal(of('a'), ['10.0.0.1']);
  assert.is(names.get('a')?.cause, undefined);
  assert.is(log.count(/^name lookup failed$/), 1);
  assert.ok(names.snapshots()[0]?.failing);
  system.set('a', ['10.0.0.2']);
  await time.pass(10_000);
  assert.equal([of('a'), changed], [['10.0.0.2'], ['a', 'a']]);
  assert.is(log.count(/^name found again$/), 1);
});

test('a name that was never found has the cause, and is found when it is there', async () => {
  const { system, asked, time, names, changed, of } = bed();
  names.use(new Map([['a', undefined]]));
  await time.pass(0);
  assert.equal([of('a'), names.get('a')?.cause, changed], [undefined, 'unknown host a', ['a']]);
  await time.pass(999);
  assert.is(asked.length, 1);
  system.set('a', ['10.0.0.1']);
  await time.pass(1);
  assert.equal([of('a'), names.get('a')?.cause], [['10.0.0.1'], undefined]);
});

test('of a failing address the name is looked up at once, but not more often than once a second', async () => {
  const { system, dns, asked, time, names, of } = bed();
  system.set('a', ['10.0.0.1']);
  dns.set('a', [{ address: '10.0.0.1', ttl: 600 }]);
  names.use(new Map([['a', undefined]]));
  await time.pass(5000);
  system.set('a', ['10.0.0.2']);
  for (let turn = 0; turn < 5; turn++) names.get('a')?.suspect();
  await time.pass(0);
  assert.equal([of('a'), asked.length], [['10.0.0.2'], 2]);
  for (let turn = 0; turn < 5; turn++) names.get('a')?.suspect();
  await time.pass(999);
  assert.is(asked.length, 2);
  await time.pass(1);
  assert.is(asked.length, 3);
});

test('addresses without a route are left out if others have one', async () => {
  const { system, unreachable, time, names, of } = bed();
  system.set('a', ['2001:db8::1', '10.0.0.1']);
  system.set('b', ['2001:db8::1', '2001:db8::2']);
  unreachable.add('2001:db8::1').add('2001:db8::2');
  names.use(
    new Map([
      ['a', undefined],
      ['b', undefined],
    ]),
  );
  await time.pass(0);
  assert.equal([of('a'), of('b')], [['10.0.0.1'], ['2001:db8::1', '2001:db8::2']]);
});

test('a load waits for first answers, and names that no service has are not looked up', async () => {
  const { system, asked, time, names, of } = bed();
  system.set('a', ['10.0.0.1']);
  await names.prepare(
    new Map([
      ['a', undefined],
      ['b', undefined],
    ]),
    250,
  );
  assert.equal([of('a'), names.get('b')?.cause], [['10.0.0.1'], 'unknown host b']);
  names.use(new Map([['a', undefined]]));
  await time.pass(60_000);
  assert.is(asked.filter((name) => name === 'b').length, 1);
  names.close();
  assert.is(time.timers, 0);
});

test('one endpoint for each address, with the share of its target', async () => {
  const { system, time, names } = bed();
  system.set('two', ['10.0.0.1', '10.0.0.2']);
  system.set('three', ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
  system.set('here', ['127.0.0.1', '::1']);
  names.use(new Map(['two', 'three', 'here', 'nowhere'].map((name) => [name, undefined])));
  const pending = expand({ targets: [{ url: 'http://two', weight: 1 }] }, names);
  assert.equal(pending.endpoints, [{ url: 'http://two', weight: 1 }], 'until the first answer, workers look it up');
  await time.pass(0);
  const weights = (targets: { url: string; weight: number }[]) =>
    expand({ targets }, names).endpoints.map(({ address, weight }) => [address, weight]);
  assert.equal(weights([{ url: 'http://two:80', weight: 5 }]), [
    ['10.0.0.1', 5],
    ['10.0.0.2', 5],
  ]);
  assert.equal(
    weights([
      { url: 'http://two', weight: 1 },
      { url: 'http://three', weight: 2 },
      { url: 'http://10.2.0.1', weight: 1 },
      { url: 'http://here', weight: 1 },
    ]),
    [
      ['10.0.0.1', 3],
      ['10.0.0.2', 3],
      ['10.1.0.1', 4],
      ['10.1.0.2', 4],
      ['10.1.0.3', 4],
      [undefined, 6],
      [undefined, 6],
    ],
  );
  const none = expand({ targets: [{ url: 'http://nowhere', weight: 1 }] }, names);
  assert.equal(none, { endpoints: [], cause: 'unknown host nowhere' });
});

test('addresses and this machine are not looked up', () => {
  const urls = [
    'http://10.0.0.1',
    'http://[::1]:80',
    'http://localhost',
    'http://a.localhost:8080',
    'unix:/a.sock',
    '?',
  ];
  assert.equal(
    urls.map(hostOf),
    urls.map(() => undefined),
  );
  assert.is(hostOf('https://Orders.Internal:8443/base'), 'orders.internal');
});

test.run();
