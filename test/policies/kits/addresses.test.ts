/** Sets of addresses: the compact form against Node's block list. */
import { BlockList, isIP } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AddressSet, encodeAddresses, encodeBlocks, parseBlock } from '../../../src/policies/kits/addresses.js';
import { seeded } from '../../support/random.js';

const setOf = (...blocks: string[]): AddressSet => new AddressSet(encodeAddresses(blocks));

test('blocks and single addresses of both families', () => {
  const set = setOf('10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1', 'fe80::1');
  for (const inside of ['10.0.0.0', '10.255.255.255', '192.0.2.7', '2001:db8:ffff::1', '::1', '0:0:0:0:0:0:0:1'])
    assert.ok(set.has(inside), inside);
  for (const outside of ['11.0.0.0', '9.255.255.255', '192.0.2.8', '2001:db9::', '::2', '', 'localhost', '1.2.3'])
    assert.not.ok(set.has(outside), outside);
  assert.ok(set.has('fe80::1%eth0'));
});

test('an IPv4-mapped address is the IPv4 address, in blocks too', () => {
  assert.ok(setOf('192.0.2.0/24').has('::ffff:192.0.2.1'));
  assert.ok(setOf('::ffff:192.0.2.0/120').has('192.0.2.200'));
  assert.not.ok(setOf('::/0').has('192.0.2.1'));
});

test('all addresses of a family', () => {
  assert.ok(setOf('0.0.0.0/0').has('203.0.113.9'));
  assert.not.ok(setOf('0.0.0.0/0').has('::1'));
  assert.ok(setOf('::/0').has('ffff::'));
  assert.not.ok(setOf().has('203.0.113.9'));
});

test('what is no block', () => {
  const wrong = [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4/33',
    '1.2.3.4/',
    '1.2.3.4/x',
    '1.2.3.4/08',
  ];
  const wrong6 = [
    '::1/129',
    ':::',
    '1:2',
    ':1',
    '1:',
    '1::2::3',
    '12345::',
    '::g',
    '1:2:3:4:5:6:7:8:9',
    '::ffff:1.2.3',
    '::/-1',
  ];
  for (const text of [...wrong, ...wrong6, 'example.com', '::ffff:1.2.3.4/129'])
    assert.is(parseBlock(text), undefined, text);
});

test('blocks inside of others are dropped', () => {
  assert.is(setOf('10.0.0.0/8', '10.1.0.0/16', '10.1.2.3', '10.0.0.0/8', '11.0.0.0/8').size, 2);
  assert.is(setOf('2001:db8::/32', '2001:db8::1', '2001:db8:1::/48').size, 1);
});

test('random sets agree with the block list of Node', () => {
  const random = seeded(11);
  const below = (most: number): number => Math.floor(random() * most);
  // Few values for each part, so that blocks meet.
  const v4 = (): string => [10, below(3), below(3), below(256)].join('.');
  const v6 = (): string => {
    const groups = Array.from({ length: 8 }, () => [0, 0, 1, 0xffff, below(65_536)][below(5)]!.toString(16));
    // Not an IPv4-mapped one: Node's list tests those against blocks of both families.
    return ['2001', ...groups.slice(1)].join(':');
  };
  for (let round = 0; round < 200; round++) {
    const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
    const blocks: string[] = [];
    for (let count = below(40); count > 0; count--) {
      const six = random() < 0.5;
      const [address, bits] = six ? [v6(), below(129)] : [v4(), 8 + below(25)];
      const family = six ? 'ipv6' : 'ipv4';
      lists[family].addSubnet(address, bits, family);
      blocks.push(`${address}/${bits}`);
    }
    const set = setOf(...blocks);
    for (let asked = 0; asked < 50; asked++) {
      const address = random() < 0.5 ? v4() : v6();
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      const naive = lists[family].check(address, family);
      assert.is(set.has(address), naive, `${address} in ${blocks.join(' ')}`);
    }
  }
});

test('100,000 blocks fit into what a duty may publish', () => {
  const random = seeded(3);
  const word = (): number => Math.floor(random() * 2 ** 32);
  const four = encodeBlocks(Array.from({ length: 100_000 }, () => ({ words: [word()], bits: 32 })));
  assert.ok(JSON.stringify(four).length < 1024 ** 2);
  const six = encodeBlocks(Array.from({ length: 100_000 }, () => ({ words: [word(), word(), 0, 0], bits: 64 })));
  assert.ok(JSON.stringify(six).length < 4 * 1024 ** 2);
  assert.ok(new AddressSet(six).size > 99_990);
});

test.run();
