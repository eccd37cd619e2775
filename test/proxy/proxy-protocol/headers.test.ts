import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_PROXY_HEADER, type ProxyHeader, readProxyHeader } from '../../../src/proxy/proxy-protocol/read.js';
import { proxyHeader } from '../../../src/proxy/proxy-protocol/write.js';

const line = (text: string): Buffer => Buffer.from(`${text}\r\n`, 'latin1');
const SIGNATURE = '0d0a0d0a000d0a515549540a';
const binary = (hex: string, length = (hex.length - 4) / 2): Buffer =>
  Buffer.from(`${SIGNATURE}${hex.slice(0, 4)}${length.toString(16).padStart(4, '0')}${hex.slice(4)}`, 'hex');
const ENDS = { source: '192.0.2.7', sourcePort: 4321, destination: '198.51.100.1', destinationPort: 443 };
const ENDS6 = { ...ENDS, source: '2001:db8::7', destination: '2001:db8:0:1::' };

for (const version of ['v1', 'v2'] as const)
  for (const ends of [ENDS, ENDS6])
    test(`what is written in ${version} is read, whatever follows, and however it is cut: ${ends.source}`, () => {
      const header = proxyHeader(version, ends);
      const found = readProxyHeader(Buffer.concat([header, Buffer.from('GET /')])) as ProxyHeader;
      assert.is(found.length, header.length);
      assert.is(new URL(`http://${ends === ENDS ? found.source : `[${found.source}]`}/`).hostname.includes('7'), true);
      for (let cut = 0; cut < header.length; cut++) {
        const needed = readProxyHeader(header.subarray(0, cut));
        assert.type(needed, 'number');
        assert.ok((needed as number) > cut && (needed as number) <= header.length, `${cut}: ${needed}`);
      }
    });

test('the wire of version 2, as in its specification', () => {
  assert.is(proxyHeader('v2', ENDS).toString('hex'), `${SIGNATURE}2111000cc0000207c633640110e101bb`);
  const six = '20010db8000000000000000000000007' + '20010db8000000010000000000000000' + '10e101bb';
  assert.is(proxyHeader('v2', ENDS6).toString('hex'), `${SIGNATURE}21210024${six}`);
  assert.is(proxyHeader('v1', ENDS).toString(), 'PROXY TCP4 192.0.2.7 198.51.100.1 4321 443\r\n');
});

test('unknown addresses', () => {
  for (const ends of [
    { ...ENDS, source: '' },
    { ...ENDS, destination: '::1' },
  ]) {
    assert.is(proxyHeader('v1', ends).toString(), 'PROXY UNKNOWN\r\n');
    assert.equal(readProxyHeader(proxyHeader('v2', ends)), { length: 16, source: undefined });
  }
  assert.equal(readProxyHeader(line('PROXY UNKNOWN ffff:: ffff:: 1 2')), { length: 33, source: undefined });
});

test('LOCAL and unix sockets have no address; TLVs are skipped', () => {
  assert.equal(readProxyHeader(binary('2000')), { length: 16, source: undefined });
  assert.equal(readProxyHeader(binary('2011c0000207c633640110e101bb')), { length: 28, source: undefined });
  assert.equal(readProxyHeader(binary(`2131${'00'.repeat(216)}`)), { length: 232, source: undefined });
  const tlv = '04000400000000';
  assert.equal(readProxyHeader(binary(`2111c0000207c633640110e101bb${tlv}`)), { length: 35, source: '192.0.2.7' });
});

for (const [what, bytes] of [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['TLS', Buffer.from('160301', 'hex')],
  ['a signature with one other byte', Buffer.from('0d0a0d0a000d0a515549540b', 'hex')],
  ['version 1 of the binary form', binary('1111c0000207c633640110e101bb')],
  ['an unknown command', binary('2211c0000207c633640110e101bb')],
  ['UDP', binary('2112c0000207c633640110e101bb')],
  ['no room for the addresses', binary('2111c0000207c633640110e1')],
  ['no room for IPv6', binary('2121c0000207c633640110e101bb')],
  ['a length above the bound', binary('2111', MAX_PROXY_HEADER)],
  ['a line without end', Buffer.from(`PROXY TCP4 ${'1'.repeat(100)}`)],
  ['another family', line('PROXY TCP6 192.0.2.7 198.51.100.1 1 2')],
  ['a zone', line('PROXY TCP6 fe80::1%eth0 ::1 1 2')],
  ['a port with a leading zero', line('PROXY TCP4 192.0.2.7 198.51.100.1 01 2')],
  ['a port that is too large', line('PROXY TCP4 192.0.2.7 198.51.100.1 1 65536')],
  ['two spaces', line('PROXY TCP4  192.0.2.7 198.51.100.1 1 2')],
  ['a missing port', line('PROXY TCP4 192.0.2.7 198.51.100.1 1')],
  ['a lower-case line', line('proxy TCP4 192.0.2.7 198.51.100.1 1 2')],
  ['UNKNOWNS', line('PROXY UNKNOWNS')],
] as const)
  test(`not a header: ${what}`, () => assert.type(readProxyHeader(bytes), 'string'));

test.run();
