/** Certificates and revocation lists that openssl has made, and damaged ones. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DerReader, readOid, readSerial, readSingle, readTime, Tag } from '../../src/x509/der.js';
import {
  Certificate,
  ClientTrust,
  DistinguishedName,
  readCertificates,
  readRevocationLists,
} from '../../src/x509/index.js';
import { CERTIFICATE_LABELS, LIST_LABELS, pemBlocks, pemOf } from '../../src/x509/pem.js';
import { RevocationList } from '../../src/x509/revocation-list.js';
import { Authorities, type Issued } from '../support/authority.js';

const NOW = Date.UTC(2026, 0, 1);
const authorities = new Authorities();
const root = authorities.create('root');
const read = ({ cert }: Issued): Certificate => readCertificates(cert)[0]!;
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
test.after(() => authorities.remove());

test('DER: only the shortest form of lengths, and nothing beyond the parent', () => {
  assert.is(readSingle(bytes('30 00')).content.length, 0);
  for (const hex of [
    '',
    '30',
    '30 80 00 00',
    '30 81 05 0000000000',
    '30 82 00 80',
    '30 05 00',
    '30 84 ff ff ff ff',
    '3f 01 00',
    '30 00 00',
    '31 00',
  ])
    assert.throws(
      () => readSingle(bytes(hex)),
      (error: Error) => error.name === 'DerError',
      hex,
    );
  const reader = new DerReader(bytes('0201 05'));
  assert.is(readSerial(reader.next(Tag.Integer).content), '5');
  assert.throws(() => reader.next());
});

test('DER: integers, object identifiers and times', () => {
  for (const [hex, text] of [
    ['00', '0'],
    ['00 80', '80'],
    ['7f ff', '7fff'],
    ['ff 7f', 'ff7f'],
  ] as const)
    assert.is(readSerial(bytes(hex)), text);
  for (const hex of ['', '00 01', 'ff 80']) assert.throws(() => readSerial(bytes(hex)), undefined, hex);
  assert.is(readOid(bytes('55 1d 11')), '2.5.29.17');
  assert.is(readOid(bytes('2a 86 48 86 f7 0d 01 01 0b')), '1.2.840.113549.1.1.11');
  for (const hex of ['', '55 9d', '55 80 01']) assert.throws(() => readOid(bytes(hex)), undefined, hex);
  const time = (tag: number, text: string): number =>
    readTime({ tag, content: Buffer.from(text), whole: Buffer.alloc(0) });
  assert.is(time(Tag.UtcTime, '491231235959Z'), Date.UTC(2049, 11, 31, 23, 59, 59));
  assert.is(time(Tag.UtcTime, '500101000000Z'), Date.UTC(1950, 0, 1));
  assert.is(time(Tag.GeneralizedTime, '20500101000000Z'), Date.UTC(2050, 0, 1));
  for (const text of [
    '20260230000000Z',
    '20261301000000Z',
    '20260101240000Z',
    '20260101000000.5Z',
    '20260101000000+0100',
    '202601010000Z',
  ])
    assert.throws(() => time(Tag.GeneralizedTime, text), undefined, text);
});

test('distinguished names: the text form of RFC 4514, and back', () => {
  const odd = root.issue('odd', { subject: '/O=A, B\\+C/OU=\\#1/CN= x "y"; é ' });
  const { subjectName } = read(odd);
  assert.equal(subjectName.valuesOf('O'), ['A, B+C']);
  const { text } = subjectName;
  assert.is(DistinguishedName.parse(text)?.text, text);
  for (const [given, normal] of [
    ['cn=a,o=b', 'CN=a,O=b'],
    ['CN = a , 2.5.4.10 = b', 'CN=a,O=b'],
    ['O=x+CN=a', 'CN=a+O=x'],
    ['CN=a\\2cb', 'CN=a\\,b'],
    ['CN=\\c3\\a9', 'CN=é'],
    ['CN=a\\ ', 'CN=a\\ '],
  ] as const)
    assert.is(DistinguishedName.parse(given)?.text, normal, given);
  for (const text_ of ['', 'CN', '=a', 'CN=a,', 'CN=a;O=b', 'CN="a"', 'CN=a\\', 'CN=a\\zz', 'CN=<a>'])
    assert.is(DistinguishedName.parse(text_), undefined, text_);
});

test('a certificate: its facts, as openssl made it', () => {
  const names = 'DNS:a.example,DNS:b.example,URI:spiffe://x/y,email:a@b.c,IP:10.0.0.1,IP:2001:db8::1';
  const issued = read(root.issue('facts', { extensions: [`subjectAltName=${names}`, 'extendedKeyUsage=serverAuth'] }));
  assert.equal(issued.names, {
    dns: ['a.example', 'b.example'],
    uri: ['spiffe://x/y'],
    email: ['a@b.c'],
    ip: ['10.0.0.1', '2001:db8::1'],
  });
  assert.is(issued.isCa, false);
  assert.is(issued.isForClients, false);
  assert.is(issued.serial, issued.x509.serialNumber.toLowerCase().replace(/^0+/, ''));
  assert.is(issued.fingerprint, issued.x509.fingerprint256.replaceAll(':', '').toLowerCase());
  assert.ok(read(root).signsCertificates && read(root).signsLists);
});

test('every cut and most changes of a certificate are refused or change what is signed', () => {
  const leaf = read(root.issue('cut'));
  const authority = read(root);
  for (let length = 0; length < leaf.raw.length; length++)
    assert.throws(() => Certificate.read(leaf.raw.subarray(0, length)), undefined, `${length}`);
  for (let at = 0; at < leaf.raw.length; at++) {
    const changed = Buffer.from(leaf.raw);
    changed[at] = (changed[at] ?? 0) ^ 0x55;
    try {
      assert.not.ok(Certificate.read(changed).isSignedBy(authority), `a change at ${at} is not noticed`);
    } catch (error) {
      assert.is(error instanceof Error && error.name, 'DerError', String(error));
    }
  }
});

test('revocation lists of version 1 and 2, and those that leave something out', () => {
  const issuer = authorities.create('lists');
  const [first, second] = [issuer.issue('first'), issuer.issue('second')];
  issuer.revoke(first);
  for (const kind of ['v1', 'list'] as const) {
    const [list] = readRevocationLists(issuer.list(kind));
    assert.equal([...list!.revoked], [read(first).serial], kind);
    assert.ok(list!.isSignedBy(read(issuer)));
    assert.not.ok(list!.isSignedBy(read(root)));
    const trust = new ClientTrust([read(issuer)], [list!]);
    assert.match(String(trust.verify(read(first), [], NOW).cause), /is revoked/);
    assert.is(trust.verify(read(second), [], NOW).cause, undefined);
    assert.is(trust.verify(read(second), [], NOW).until, Date.UTC(2099, 11, 31, 23, 59, 59));
  }
  for (const [kind, why] of [
    ['indirect', /indirect/],
    ['partial', /partial/],
    ['delta', /delta/],
  ] as const)
    assert.throws(() => readRevocationLists(issuer.list(kind)), why);
  issuer.revoke(second, 'keyCompromise');
  assert.is(readRevocationLists(issuer.list())[0]!.revoked.size, 2);
});

test('every cut and most changes of a revocation list are refused or break its signature', () => {
  const issuer = authorities.create('changes');
  issuer.revoke(issuer.issue('gone'));
  const [der] = pemBlocks(issuer.list(), LIST_LABELS);
  const authority = read(issuer);
  assert.ok(RevocationList.read(der!).isSignedBy(authority));
  for (let length = 0; length < der!.length; length++)
    assert.throws(() => RevocationList.read(der!.subarray(0, length)), undefined, `${length}`);
  for (let at = 0; at < der!.length; at++) {
    const changed = Buffer.from(der!);
    changed[at] = (changed[at] ?? 0) ^ 0x55;
    try {
      assert.not.ok(RevocationList.read(changed).isSignedBy(authority), `a change at ${at} is not noticed`);
    } catch (error) {
      assert.is(error instanceof Error && error.name, 'DerError', String(error));
    }
  }
});

test('the newest of several lists counts, and an outdated one refuses', () => {
  const issuer = authorities.create('newest');
  const leaf = issuer.issue('leaf');
  const old = readRevocationLists(issuer.list('list', '20250101000000Z'))[0]!;
  const trust = new ClientTrust([read(issuer)], [old]);
  assert.match(String(trust.verify(read(leaf), [], NOW).cause), /out of date since 2025-01-01/);
  assert.is(trust.verify(read(leaf), [], Date.UTC(2024, 0, 1)).cause, undefined);
  assert.equal(new ClientTrust([read(issuer), read(root)], [old]).withoutList.length, 1);
});

test('paths: authorities, their lengths, dates and constraints', () => {
  const short = authorities.create('short', {
    extensions: ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign'],
  });
  const deep = short.intermediate('deep');
  const noSigner = root.issue('no-signer', {
    extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=digitalSignature'],
  });
  const limited = authorities.create('limited', {
    extensions: [
      'basicConstraints=critical,CA:TRUE',
      'keyUsage=keyCertSign',
      'nameConstraints=critical,permitted;DNS:a.example',
    ],
  });
  const servers = root.intermediate('servers', {
    extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=keyCertSign', 'extendedKeyUsage=serverAuth'],
  });
  const ended = root.intermediate('ended');
  const cause = (trusted: Issued, leaf: Issued, ...chain: Issued[]): string =>
    String(new ClientTrust([read(trusted)]).verify(read(leaf), chain.map(read), NOW).cause);
  assert.is(cause(short, short.issue('direct')), 'undefined');
  assert.match(cause(short, deep.issue('far'), deep), /does not allow that many/);
  assert.match(cause(limited, limited.issue('named')), /name constraints/);
  assert.match(cause(root, servers.issue('odd'), servers), /not for clients/);
  assert.match(cause(root, ended.issue('lost')), /unknown issuer/);
  assert.is(cause(root, ended.issue('found'), ended), 'undefined');
  assert.match(cause(root, root.issue('late', { to: '20210101000000Z' })), /expired on 2021-01-01/);
  assert.match(cause(root, root.issue('early', { from: '20980101000000Z' })), /not valid before 2098/);
  assert.match(cause(root, root.issue('server', { extensions: ['extendedKeyUsage=serverAuth'] })), /not for clients/);
  assert.match(cause(root, root.issue('critical', { extensions: ['1.2.3=critical,DER:0500'] })), /unknown critical/);
  assert.not.ok(read(noSigner).signsCertificates);
  const constrained = new Set([read(limited).fingerprint]);
  const trust = new ClientTrust([read(limited)]);
  assert.is(trust.verify(read(limited.issue('checked')), [], NOW, constrained).cause, undefined);
  assert.equal(new ClientTrust([read(deep)]).withoutRoot.length, 1);
  assert.equal(new ClientTrust([read(deep), read(short)]).withoutRoot, []);
});

test('PEM: several blocks, other text, damage', () => {
  const { raw } = read(root);
  const pem = pemOf('CERTIFICATE', raw);
  assert.ok(pemBlocks(`x\n${pem}text\n${pem}`, CERTIFICATE_LABELS).every((der) => der?.equals(raw)));
  assert.is(pemBlocks(pem, LIST_LABELS).length, 0);
  assert.equal(pemBlocks(pem.slice(0, -30), CERTIFICATE_LABELS), [undefined]);
  assert.equal(pemBlocks(pem.replace('MII', 'M!I'), CERTIFICATE_LABELS), [undefined]);
  assert.throws(() => readCertificates(`${pem}${pem.replace('MII', 'M!I')}`), /certificate 2 is damaged/);
});

test.run();
