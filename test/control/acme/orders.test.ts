/** Orders of certificates, against an ACME server that validates over real sockets. */
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { removeFolders } from '../kit.js';
import { AcmeBed, DAY } from './kit.js';

const test = suite<{ bed: AcmeBed }>('acme: orders');
test.before.each(async (context) => {
  context.bed = await new AcmeBed().open();
});
test.after.each(({ bed }) => bed.close());
test.after(removeFolders);

test('a certificate is ordered by TLS-ALPN-01, supplied and kept; a restart reads it', async ({ bed }) => {
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry(['shop.example.com'], { email: 'ops@example.com' }));
  assert.equal(bed.responder.supply.certificates, []);
  await bed.until(() => bed.responder.supply.certificates.length === 1, 'the certificate');
  const [one] = bed.responder.supply.certificates;
  assert.equal(one?.names, ['shop.example.com']);
  assert.is(one?.cert, bed.server.issued[0]?.pem);
  assert.is(new X509Certificate(one!.cert).subjectAltName, 'DNS:shop.example.com');
  await bed.until(() => bed.responder.supply.challenges.length === 0, 'the challenge is withdrawn');
  assert.equal(bed.server.book.validations, ['tls-alpn-01 shop.example.com']);
  assert.equal([...bed.server.book.accounts.values()][0]?.contact, ['mailto:ops@example.com']);
  assert.is(gateway.snapshots[0]?.failing, false);
  assert.ok(bed.log.find(/^certificate obtained$/));

  const folder = join(bed.folder, 'acme', readdirSync(join(bed.folder, 'acme'))[0]!);
  assert.is(statSync(join(bed.folder, 'acme')).mode & 0o777, 0o700);
  assert.is(statSync(folder).mode & 0o777, 0o700);
  for (const file of ['account.json', 'shop.example.com.pem'])
    assert.is(statSync(join(folder, file)).mode & 0o777, 0o600, file);
  assert.equal(readdirSync(folder).sort(), ['account.json', 'lock', 'shop.example.com.pem']);

  gateway.close();
  bed.server.requests.length = 0;
  const again = bed.gateway();
  await bed.use(again, bed.entry(['shop.example.com'], { email: 'ops@example.com' }));
  assert.is(bed.responder.supply.certificates[0]?.cert, one?.cert, 'before the program is live');
  await bed.until(() => bed.server.requests.includes('renewalInfo'), 'the suggestion');
  assert.not(bed.server.requests.includes('newOrder'));
  assert.not(bed.server.requests.includes('newAccount'));
});

test('HTTP-01 if it is the only challenge; hosts one after the other, keys of another kind', async ({ bed }) => {
  await bed.use(
    bed.gateway(),
    bed.entry(['a.example', 'b.example'], { challenges: ['http-01'], keyType: 'ecdsa-p384' }),
  );
  await bed.until(() => bed.responder.supply.certificates.length === 2, 'both certificates');
  assert.equal(bed.server.book.validations, ['http-01 a.example', 'http-01 b.example']);
  assert.is(bed.server.book.accounts.size, 1);
  const { publicKey } = new X509Certificate(bed.responder.supply.certificates[0]!.cert);
  assert.is(publicKey.asymmetricKeyDetails?.namedCurve, 'secp384r1');
});

test('nonces that are not good are replaced', async ({ bed }) => {
  bed.server.badNonces = 3;
  await bed.use(bed.gateway(), bed.entry(['a.example']));
  await bed.until(() => bed.responder.supply.certificates.length === 1, 'the certificate');
  assert.is(bed.server.badNonces, 0);
});

test('a challenge that cannot be validated: a failure, a wait, and then the other kind', async ({ bed }) => {
  const { tls } = bed.server.ports;
  bed.server.ports.tls = 1;
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry(['a.example']));
  await bed.until(() => gateway.snapshots[0]?.failing, 'the failure');
  const line = bed.log.find(/^certificate not obtained, the host is not served$/);
  assert.is(line?.level, 'error');
  assert.match(String(line?.fields['cause']), /could not validate tls-alpn-01 for a\.example: .*ECONNREFUSED/);
  assert.is(gateway.snapshots[0]?.failures, 1);
  const wait = (gateway.snapshots[0]?.nextRun ?? 0) - bed.time.now;
  assert.ok(wait > 290_000 && wait <= 330_000, String(wait));
  bed.server.ports.tls = tls;
  await bed.until(() => bed.responder.supply.certificates.length === 1, 'the certificate', 2000);
  assert.is(bed.server.book.validations.at(-1), 'http-01 a.example');
  assert.is(gateway.snapshots[0]?.failing, false);
});

test('an authority that refuses to issue, or does not know the account', async ({ bed }) => {
  bed.server.book.failsToIssue = true;
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry(['a.example']));
  await bed.until(() => gateway.snapshots[0]?.failing, 'the failure');
  assert.match(gateway.snapshots[0]?.lastError?.cause ?? '', /has ended the order: the CAA records forbid it/);
  bed.server.book.failsToIssue = false;
  bed.server.book.accounts.clear();
  await bed.until(() => bed.responder.supply.certificates.length === 1, 'the certificate', 2000);
  assert.is(bed.server.book.accounts.size, 1, 'another account');
  assert.match(String(bed.log.lines.map(({ fields }) => fields['cause'])), /no account has this url/);
});

test('limits of the authority: the host waits as long as it asks for, others do not', async ({ bed }) => {
  bed.server.limit = { detail: 'too many certificates', retryAfter: '86400' };
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry(['a.example', 'b.example']));
  await bed.until(() => gateway.snapshots[0]?.failing && !gateway.snapshots[0].active, 'the first answer');
  bed.server.limit = undefined;
  await bed.until(() => bed.server.issued.length > 0 || gateway.snapshots[1]?.failing, 'the other host');
  const [first] = gateway.snapshots;
  assert.match(first?.lastError?.cause ?? '', /too many certificates/);
  assert.ok((first?.nextRun ?? 0) - (first?.lastError?.at ?? 0) >= DAY);
});

test('an outage: every host waits, longer each time, and as long as the authority asks for', async ({ bed }) => {
  bed.server.outage = (reply) => reply.writeHead(503, { 'retry-after': '120' }).end();
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry(['a.example', 'b.example']));
  await bed.until(() => gateway.snapshots.some(({ failing }) => failing), 'the failure');
  assert.is(gateway.snapshots.filter(({ failing }) => failing).length, 1, 'the other one is not tried');
  assert.match(gateway.snapshots[0]?.lastError?.cause ?? '', /status 503/);
  await bed.time.pass(119_000);
  assert.is(gateway.snapshots[0]?.failures, 1);
  bed.server.outage = undefined;
  await bed.until(() => bed.responder.supply.certificates.length === 2, 'both certificates');
});

test('an account that is bound to an external one', async ({ bed }) => {
  const key = Buffer.from('a secret of thirty-two bytes ...').toString('base64url');
  bed.server.book.bindings.set('kid-1', key);
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry(['a.example']));
  await bed.until(() => gateway.snapshots[0]?.failing, 'the refusal');
  assert.match(gateway.snapshots[0]?.lastError?.cause ?? '', /no external account binding/);
  await bed.use(gateway, bed.entry(['a.example'], { externalAccount: { id: 'kid-1', key } }));
  await bed.until(() => bed.responder.supply.certificates.length === 1, 'the certificate');
});

test('a directory with HTTPS of a private authority; without it the certificate is refused', async () => {
  const bed = await new AcmeBed({ https: true }).open();
  try {
    const gateway = bed.gateway();
    await bed.use(gateway, bed.entry(['a.example']));
    await bed.until(() => gateway.snapshots[0]?.failing, 'the refusal');
    assert.match(gateway.snapshots[0]?.lastError?.cause ?? '', /certificate|self-signed/i);
    await bed.use(gateway, bed.entry(['a.example'], { ca: [bed.server.authority.root] }));
    await bed.until(() => bed.responder.supply.certificates.length === 1, 'the certificate');
  } finally {
    bed.close();
  }
});

test('a file that is not the certificate of its host is not used', async ({ bed }) => {
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry(['a.example', 'b.example']));
  await bed.until(() => bed.responder.supply.certificates.length === 2, 'both certificates');
  gateway.close();
  const folder = join(bed.folder, 'acme', readdirSync(join(bed.folder, 'acme'))[0]!);
  writeFileSync(join(folder, 'a.example.pem'), readFileSync(join(folder, 'b.example.pem')));
  const again = bed.gateway();
  await bed.use(again, bed.entry(['a.example', 'b.example']));
  assert.equal(
    bed.responder.supply.certificates.map(({ names }) => names[0]),
    ['b.example'],
  );
  assert.match(String(bed.log.find(/^stored certificate ignored$/)?.fields['cause']), /is not for a\.example/);
  await bed.until(() => bed.responder.supply.certificates.length === 2, 'another certificate');
});

test.run();
