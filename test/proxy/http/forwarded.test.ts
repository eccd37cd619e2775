import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TrustedProxies } from '../../../src/proxy/exchange/peer.js';
import { forwardedNode, nodeAddress, parseForwarded, plainAddress } from '../../../src/proxy/http/forwarded.js';

test('the examples of RFC 7239 section 4 are parsed', () => {
  assert.equal(parseForwarded('for="_gazonk"'), [{ for: '_gazonk' }]);
  assert.equal(parseForwarded('For="[2001:db8:cafe::17]:4711"'), [{ for: '[2001:db8:cafe::17]:4711' }]);
  assert.equal(parseForwarded('for=192.0.2.60;proto=http;by=203.0.113.43'), [
    { for: '192.0.2.60', proto: 'http', by: '203.0.113.43' },
  ]);
  assert.equal(parseForwarded('for=192.0.2.43, for=198.51.100.17'), [{ for: '192.0.2.43' }, { for: '198.51.100.17' }]);
});

test('capitals, empty items, unknown parameters, escapes and quoted commas are parsed', () => {
  assert.equal(parseForwarded(' ,for=a;PROTO=HTTPS;secret="x,y;z" ,, host="a\\"b"'), [
    { for: 'a', proto: 'https' },
    { host: 'a"b' },
  ]);
  assert.equal(parseForwarded(''), []);
  assert.equal(parseForwarded('for=a;, ;for=b;;proto=c'), [{ for: 'a' }, { for: 'b', proto: 'c' }]);
  assert.equal(parseForwarded('for=a; proto=http'), [{ for: 'a', proto: 'http' }]);
});

test('an invalid list is rejected as a whole', () => {
  for (const field of [
    'for',
    'for=',
    'for =a',
    'for= a',
    'for="a',
    'for=a b',
    'for=a;for=b',
    'for=[::1]',
    'for=a:1',
    'for=a"b"',
    '=a',
    'for=a=b',
    'for="a"b',
  ])
    assert.is(parseForwarded(field), undefined, field);
});

test('a long field is parsed in linear time', () => {
  const began = process.hrtime.bigint();
  parseForwarded(`for="${'\\a'.repeat(16_000)}`);
  parseForwarded(`${'for=a,'.repeat(5000)}x`);
  assert.ok(process.hrtime.bigint() - began < 500_000_000n);
});

test('nodes: addresses with ports and brackets are read, other nodes are undefined', () => {
  const cases: readonly (readonly [node: string, address: string | undefined])[] = [
    ['192.0.2.43', '192.0.2.43'],
    ['192.0.2.43:47011', '192.0.2.43'],
    ['192.0.2.43:_port', '192.0.2.43'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:80', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['[::ffff:10.0.0.1]:1', '10.0.0.1'],
    ['unknown', undefined],
    ['_hidden', undefined],
    ['', undefined],
    ['[]', undefined],
    ['[10.0.0.1', undefined],
    ['999.0.0.1:80', undefined],
    ['localhost', undefined],
  ];
  for (const [node, address] of cases) assert.is(nodeAddress(node), address, node);
});

test('an address is written as a node', () => {
  assert.is(forwardedNode('10.0.0.1'), '10.0.0.1');
  assert.is(forwardedNode('2001:db8::1'), '"[2001:db8::1]"');
  assert.is(forwardedNode(''), 'unknown');
});

test('all forms of an address give the same key', () => {
  const same: readonly (readonly [string, string])[] = [
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:10.0.0.1', '10.0.0.1'],
    ['::ffff:a00:1', '10.0.0.1'],
    ['0:0:0:0:0:ffff:0a00:0001', '10.0.0.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['10.0.0.1', '10.0.0.1'],
    ['not an address', 'not an address'],
    ['a:b', 'a:b'],
  ];
  for (const [written, plain] of same) assert.is(plainAddress(written), plain, written);
});

test('a trusted proxy can be an IPv4-mapped address', () => {
  const proxies = new TrustedProxies(['::ffff:10.0.0.0/104', '::FFFF:192.0.2.1', '2001:DB8::/32']);
  assert.ok(proxies.has('10.200.0.1'));
  assert.not.ok(proxies.has('11.0.0.1'));
  assert.ok(proxies.has('192.0.2.1'));
  assert.ok(proxies.has('2001:db8:1::1'));
  assert.not.ok(proxies.has('2001:db9::1'));
});

test.run();
