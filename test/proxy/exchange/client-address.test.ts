import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { forwardingOf } from '../../../src/proxy/exchange/client-address.js';
import { peerOf, TrustedProxies } from '../../../src/proxy/exchange/peer.js';
import { Seen } from '../../../src/proxy/http/seen.js';

const BITS: { readonly [name: string]: number } = {
  forwarded: Seen.Forwarded,
  'x-forwarded-for': Seen.ForwardedFor,
  'x-forwarded-host': Seen.ForwardedHost,
  'x-forwarded-proto': Seen.ForwardedProto,
};
const PEER = peerOf('127.0.0.1', 'http', new TrustedProxies(['127.0.0.1', '10.0.0.0/8']), {
  entry: { name: 'main', maxBodyBytes: 1 },
});

function way(fields: { readonly [name: string]: string }, peer = PEER) {
  let seen = 0;
  for (const name of Object.keys(fields)) seen |= BITS[name]!;
  return forwardingOf(peer, seen, (name) => fields[name]);
}

test('X-Forwarded-Proto is read from the right, as far as the addresses are trusted', () => {
  for (const [proto, nodes, scheme] of [
    ['https', undefined, 'https'],
    ['HTTPS', undefined, 'https'],
    ['https, http', undefined, 'http'],
    ['http, https', undefined, 'https'],
    ['https, http', '9.9.9.9', 'http'],
    ['https, http', '6.6.6.6, 9.9.9.9', 'http'],
    // The hop 10.0.0.1 is trusted, so its entry counts.
    ['https, http', '9.9.9.9, 10.0.0.1', 'https'],
    ['ftp, https, http', '6.6.6.6, 9.9.9.9, 10.0.0.1', 'https'],
    // Lists of different length: the entries of the nearest proxies count.
    ['https', '9.9.9.9, 10.0.0.1, 10.0.0.2', 'https'],
    ['https, http', '9.9.9.9, 10.0.0.1, 10.0.0.2', 'https'],
    ['http, https, http', '9.9.9.9', 'http'],
    // An invalid value ends the search at the next hop.
    ['https, junk, http', '9.9.9.9, 10.0.0.1, 10.0.0.2', 'http'],
    ['https, junk', '9.9.9.9, 10.0.0.1', 'http'],
    ['junk', '9.9.9.9', 'http'],
    ['', '9.9.9.9', 'http'],
    ['https,', '9.9.9.9', 'https'],
    [', ,https,,', undefined, 'https'],
    ['"https"', undefined, 'http'],
    ['wss', '9.9.9.9', 'https'],
    ['https', 'unknown', 'https'],
    ['https, http', '9.9.9.9, unknown', 'http'],
  ] as const) {
    const result = way({ 'x-forwarded-proto': proto, ...(nodes === undefined ? {} : { 'x-forwarded-for': nodes }) });
    assert.is(result.scheme, scheme, `${proto} with ${nodes}`);
  }
  const secure = peerOf('127.0.0.1', 'https', new TrustedProxies(['127.0.0.1']), {
    entry: { name: 'main', maxBodyBytes: 1 },
  });
  assert.is(way({ 'x-forwarded-proto': 'junk' }, secure).scheme, 'https');
  assert.is(way({ 'x-forwarded-proto': 'https, http' }, secure).scheme, 'http');
});

test('scheme and host come from the first trusted hop in Forwarded', () => {
  for (const [field, client, scheme, host] of [
    ['for=9.9.9.9;proto=https;host=shop.example', '9.9.9.9', 'https', 'shop.example'],
    ['for=9.9.9.9;host="Shop.Example:8443"', '9.9.9.9', 'http', 'shop.example:8443'],
    ['for=9.9.9.9;host="[2001:DB8::1]:80"', '9.9.9.9', 'http', '[2001:db8::1]:80'],
    ['for=6.6.6.6;host=evil;proto=https, for=9.9.9.9;host=shop.example', '9.9.9.9', 'http', 'shop.example'],
    ['for=9.9.9.9;host=outer;proto=https, for=10.0.0.1;host=inner;proto=http', '9.9.9.9', 'https', 'outer'],
    ['for=9.9.9.9, for=10.0.0.1;host=inner;proto=https', '9.9.9.9', 'https', 'inner'],
    ['for=_hidden;proto=https;host=shop.example', '127.0.0.1', 'https', 'shop.example'],
    ['for=9.9.9.9;host=_hidden', '9.9.9.9', 'http', undefined],
    ['for=9.9.9.9;host=unknown', '9.9.9.9', 'http', undefined],
    ['for=9.9.9.9;host="a/b"', '9.9.9.9', 'http', undefined],
    ['for=9.9.9.9;host="a:99999"', '9.9.9.9', 'http', undefined],
    ['for=9.9.9.9;host="a, b"', '9.9.9.9', 'http', undefined],
    ['for=9.9.9.9;host=""', '9.9.9.9', 'http', undefined],
    ['for=9.9.9.9;host=a;host=b', '127.0.0.1', 'http', undefined],
    ['proto=https;host=a', '127.0.0.1', 'https', 'a'],
  ] as const)
    assert.equal(way({ forwarded: field }), { client, scheme, host }, field);
});

test('X-Forwarded-* takes precedence over Forwarded', () => {
  const forwarded = 'for=6.6.6.6;proto=https;host=evil';
  assert.equal(way({ forwarded, 'x-forwarded-for': '9.9.9.9' }), {
    client: '9.9.9.9',
    scheme: 'http',
    host: undefined,
  });
  assert.is(way({ forwarded, 'x-forwarded-host': 'shop.example' }).host, 'shop.example');
  assert.is(way({ forwarded, 'x-forwarded-proto': 'http' }).scheme, 'http');
});

test.run();
