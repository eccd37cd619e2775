/** Renewals: when they are due, what happens when they fail, and several gateways with one folder. */
import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { AcmeCertificates } from '../../../src/control/acme/index.js';
import { onlyWhere } from '../../support/only-where.js';
import { removeFolders } from '../kit.js';
import { AcmeBed, DAY } from './kit.js';

const test = suite<{ bed: AcmeBed }>('acme: renewals');
test.before.each(async (context) => {
  context.bed = await new AcmeBed().open();
});
test.after.each(({ bed }) => bed.close());
test.after(removeFolders);

const HOST = 'a.example';
const due = (gateway: AcmeCertificates): number => gateway.snapshots[0]?.nextRun ?? 0;

/** Resolves when the suggestion for the newest certificate has been asked for. */
const settled = (bed: AcmeBed, polls: number): Promise<void> =>
  bed.until(() => bed.server.requests.filter((one) => one === 'renewalInfo').length >= polls, 'the suggestion');

test('without suggestions: when a third of the lifetime remains, spread over a tenth of that', async ({ bed }) => {
  bed.server.renewalInfo = false;
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry([HOST]));
  await bed.rest(gateway);
  const [first] = bed.server.issued;
  assert.ok(Math.abs(due(gateway) - (first!.to - 30 * DAY + 1.5 * DAY)) < 5000);
  await bed.time.pass(due(gateway) - bed.time.now - 2000);
  assert.is(bed.server.issued.length, 1);
  await bed.until(() => bed.server.issued.length === 2, 'the renewal');
  await bed.rest(gateway);
  assert.is(bed.responder.supply.certificates[0]?.cert, bed.server.issued[1]?.pem);
  assert.is([...bed.server.book.orders.values()][1]?.replaces, undefined);
});

test('renew_before is instead of the third', async ({ bed }) => {
  bed.server.renewalInfo = false;
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry([HOST], { renewBefore: 10 * DAY }));
  await bed.rest(gateway);
  assert.ok(Math.abs(due(gateway) - (bed.server.issued[0]!.to - 9.5 * DAY)) < 5000);
});

test('as the authority suggests (RFC 9773), and the order names what it replaces', async ({ bed }) => {
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry([HOST]));
  await settled(bed, 1);
  const [first] = bed.server.issued;
  // The authority wants it back sooner.
  const now = bed.time.now;
  bed.server.book.windows.set(first!.id, { start: now + 5 * DAY, end: now + 7 * DAY });
  await bed.until(() => gateway.snapshots[0]!.nextRun! > bed.time.now, 'rest');
  await bed.time.pass(6 * 3_600_000 + 1000);
  await settled(bed, 2);
  await bed.until(() => bed.time.now >= now + 5.9 * DAY, 'almost six days', DAY / 8);
  assert.is(bed.server.issued.length, 1);
  await bed.until(() => bed.server.issued.length === 2, 'the renewal', 600_000);
  assert.ok(bed.time.now < now + 6.2 * DAY);
  assert.is([...bed.server.book.orders.values()][1]?.replaces, first!.id);
});

test('a revoked certificate is replaced when the suggestion is read', async ({ bed }) => {
  bed.server.renewalRetryAfter = 5;
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry([HOST]));
  await settled(bed, 1);
  bed.server.book.revoked.add(bed.server.issued[0]!.id);
  const since = bed.time.now;
  await bed.until(() => bed.server.issued.length === 2, 'the replacement', 1000);
  assert.ok(bed.time.now - since >= 55_000, 'not asked more often than once a minute');
});

test('a suggestion that ends before it starts does not count', async ({ bed }) => {
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry([HOST]));
  await settled(bed, 1);
  const [first] = bed.server.issued;
  bed.server.book.windows.set(first!.id, { start: bed.time.now, end: bed.time.now - DAY });
  await bed.time.pass(7 * 3_600_000);
  await settled(bed, 2);
  await bed.until(() => gateway.snapshots[0]!.nextRun! > bed.time.now + 3_600_000, 'rest');
  assert.is(bed.server.issued.length, 1);
});

test('a failed renewal: the old certificate stays, and the log says how long it lasts', async ({ bed }) => {
  bed.server.renewalInfo = false;
  bed.server.book.lifetime = 3 * DAY;
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry([HOST]));
  await bed.rest(gateway);
  bed.server.outage = (reply) => reply.writeHead(500).end();
  await bed.time.pass(due(gateway) - bed.time.now);
  await bed.until(() => gateway.snapshots[0]?.failing, 'the failure');
  const old = bed.log.find(/^certificate not renewed, the old one stays in use$/);
  assert.is(old?.level, 'warn');
  assert.is(bed.responder.supply.certificates[0]?.cert, bed.server.issued[0]?.pem);
  assert.is(gateway.snapshots[0]?.expires, bed.server.issued[0]!.to + 999);
  await bed.until(() => bed.log.find(/^certificate not renewed, the old one has expired$/), 'its end', DAY);
  assert.is(bed.responder.supply.certificates.length, 1, 'it stays');
  bed.server.outage = undefined;
  await bed.until(() => bed.server.issued.length === 2, 'the renewal', 60_000);
  assert.ok(bed.log.find(/^certificate obtained after failures$/));
});

test('two gateways with one folder order once', async ({ bed }) => {
  const one = bed.gateway();
  const other = bed.gateway();
  await bed.use(one, bed.entry([HOST]));
  await bed.use(other, bed.entry([HOST]));
  await bed.until(() => one.snapshots[0]?.expires && other.snapshots[0]?.expires, 'both have it');
  assert.is(bed.server.issued.length, 1);
  assert.is(bed.server.book.accounts.size, 1);
  await bed.until(() => bed.time.now > bed.server.issued[0]!.to - 28 * DAY, 'the renewal', DAY);
  await bed.until(() => one.snapshots[0]?.expires === other.snapshots[0]?.expires, 'both have the new one');
  assert.is(bed.server.issued.length, 2);
});

test('a host that the spec no longer has is neither renewed nor supplied', async ({ bed }) => {
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry([HOST, 'b.example']));
  await bed.rest(gateway);
  await bed.use(gateway, bed.entry(['b.example']));
  assert.equal(
    bed.responder.supply.certificates.map(({ names }) => names[0]),
    ['b.example'],
  );
  await bed.use(gateway, undefined);
  assert.equal(bed.responder.supply.certificates, []);
  assert.equal(gateway.snapshots, []);
  const { length } = bed.server.requests;
  await bed.time.pass(60 * DAY);
  assert.is(bed.time.timers, 0);
  assert.is(bed.server.requests.length, length);
});

test('another authority: the old certificates serve until its own are there; staging in development', async ({
  bed,
}) => {
  const staging = await new AcmeBed().open();
  try {
    staging.server.ports.http = bed.server.ports.http;
    staging.server.ports.tls = bed.server.ports.tls;
    const gateway = bed.gateway({ isDevelopment: true });
    await bed.use(gateway, bed.entry([HOST], { staging: staging.directory }));
    await bed.until(() => staging.server.issued.length === 1, 'the certificate of staging');
    assert.is(bed.server.issued.length, 0);
    await bed.until(() => gateway.snapshots[0]?.expires, 'it is in use');
    bed.server.outage = (reply) => reply.writeHead(500).end();
    await bed.use(gateway, bed.entry([HOST]));
    assert.is(bed.responder.supply.certificates[0]?.cert, staging.server.issued[0]?.pem);
    bed.server.outage = undefined;
    await bed.until(() => bed.server.issued.length === 1, 'the certificate');
    await bed.until(() => bed.responder.supply.certificates[0]?.cert === bed.server.issued[0]?.pem, 'it is in use');
  } finally {
    staging.close();
  }
});

test('other settings of the same authority: nothing is ordered', async ({ bed }) => {
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry([HOST]));
  await bed.rest(gateway);
  await bed.use(gateway, bed.entry([HOST], { keyType: 'rsa-2048', email: 'ops@example.com' }));
  await settled(bed, 2);
  await bed.rest(gateway);
  assert.is(bed.server.issued.length, 1);
  assert.is(bed.server.book.accounts.size, 1);
});

test('a program that does not go live orders nothing', async ({ bed }) => {
  const gateway = bed.gateway();
  await gateway.prepare({ acme: bed.entry([HOST]), state: { path: bed.folder } });
  await bed.time.pass(60_000);
  assert.equal(bed.server.requests, []);
  assert.equal(gateway.snapshots, []);
});

const isRoot = process.getuid?.() === 0;

test('a folder that cannot be used: no order', async ({ bed }) => {
  writeFileSync(join(bed.folder, 'acme'), 'not a folder');
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry([HOST]));
  await bed.until(() => gateway.snapshots[0]?.failing, 'the failure');
  assert.match(gateway.snapshots[0]?.lastError?.cause ?? '', /not a folder|ENOTDIR|EEXIST/);
  assert.equal(bed.server.requests, []);
  rmSync(join(bed.folder, 'acme'));
  await bed.until(() => bed.server.issued.length === 1, 'the certificate');
});

onlyWhere(
  !isRoot,
  'root may write everywhere',
  test,
)('a certificate that cannot be stored is used, and written again', async ({ bed }) => {
  const gateway = bed.gateway();
  await bed.use(gateway, bed.entry([HOST]));
  await bed.until(() => bed.server.requests.includes('finalize'), 'the order');
  const folder = join(bed.folder, 'acme', readdirSync(join(bed.folder, 'acme'))[0]!);
  chmodSync(folder, 0o500);
  await bed.until(() => bed.log.find(/^certificate in use, but it cannot be stored$/), 'the failure');
  assert.is(bed.responder.supply.certificates.length, 1);
  chmodSync(folder, 0o700);
  await bed.until(() => readdirSync(folder).includes(`${HOST}.pem`), 'the file');
  assert.is(bed.server.issued.length, 1);
});

test.run();
