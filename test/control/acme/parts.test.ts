import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { holdCertificate, readStored, storedText } from '../../../src/control/acme/certificate.js';
import { pollAfter, renewalTime, timeIn, windowOf } from '../../../src/control/acme/schedule.js';
import { FolderStore } from '../../../src/control/acme/store.js';
import { AcmeRefusal, AcmeTransport, retryAfterOf } from '../../../src/control/acme/transport.js';
import type { DutyFetch } from '../../../src/control/duties/fetch.js';
import { AcmeAuthority } from '../../support/acme/authority.js';
import { ManualTime } from '../../support/manual-time.js';
import { removeFolders, temporaryFolder } from '../kit.js';

test.after(removeFolders);

const DAY = 86_400_000;

test('the time of a renewal: a third before the end, or as it is set, spread by the random number', () => {
  const lifetime = { notBefore: 0, notAfter: 90 * DAY };
  assert.is(renewalTime(lifetime, 0), 60 * DAY);
  assert.is(renewalTime(lifetime, 1), 63 * DAY);
  assert.is(renewalTime(lifetime, 0, 10 * DAY), 80 * DAY);
  assert.is(renewalTime(lifetime, 0, 400 * DAY), 0, 'not before it begins');
  assert.is(timeIn({ start: 10, end: 20 }, 0.5), 15);
});

test('a suggested window is two dates in order; it is asked for once a minute to once a day', () => {
  const window = (start: unknown, end: unknown): unknown => ({ suggestedWindow: { start, end } });
  assert.equal(windowOf(window('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z')), {
    start: Date.UTC(2026, 0, 1),
    end: Date.UTC(2026, 0, 2),
  });
  const same = '2026-01-01T00:00:00Z';
  for (const wrong of [window(same, same), window('x', same), window(1, 2), {}, null, 'text', { suggestedWindow: 1 }])
    assert.is(windowOf(wrong), undefined);
  assert.equal([undefined, 0, 120_000, 400 * DAY].map(pollAfter), [6 * 3_600_000, 60_000, 120_000, DAY]);
});

test('Retry-After is seconds or a date', () => {
  assert.is(retryAfterOf('120', 0), 120_000);
  assert.is(retryAfterOf('Thu, 01 Jan 1970 00:01:00 GMT', 10_000), 50_000);
  assert.is(retryAfterOf('Thu, 01 Jan 1970 00:01:00 GMT', 90_000), 0);
  assert.is(retryAfterOf('soon', 0), undefined);
  assert.is(retryAfterOf(undefined, 0), undefined);
});

const answering = (status: number, body: string, type = 'application/problem+json'): AcmeTransport => {
  const fetch: DutyFetch = async () => ({ status, headers: { 'content-type': type }, body: Buffer.from(body) });
  const signal = new AbortController().signal;
  return new AcmeTransport(fetch, 'https://acme.example/directory', undefined, { signal, now: () => 0 });
};

async function refusal(transport: AcmeTransport): Promise<AcmeRefusal> {
  try {
    await transport.request('https://acme.example/x', 'post', {});
  } catch (error) {
    if (error instanceof AcmeRefusal) return error;
    throw error;
  }
  throw new Error('no refusal');
}

test('an error has its kind and a reason of one line; redirects and other answers are errors too', async () => {
  const type = 'urn:ietf:params:acme:error:rateLimited';
  const limited = await refusal(
    answering(429, JSON.stringify({ type, detail: `too\nmany\u0007 ${'x'.repeat(1000)}` })),
  );
  assert.is(limited.type, 'rateLimited');
  assert.is(limited.message.length, 300);
  assert.match(limited.message, /^too many x+$/);
  assert.is((await refusal(answering(302, '', 'text/html'))).message, 'the authority answers with status 302');
  assert.is((await refusal(answering(500, '[]'))).type, '');
});

test('an authority with https does not lead to http', async () => {
  try {
    await answering(200, '{}').request('http://acme.example/x', 'get');
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /leads to a URL without https: http:\/\/acme\.example\/x/);
  }
});

test('a store: texts by key, replaced at once, for this user only', async () => {
  const folder = join(temporaryFolder(), 'acme');
  const store = new FolderStore(folder, 'one', new ManualTime().after);
  assert.is(await store.read('a/b.pem'), undefined);
  await store.write('a/b.pem', 'first');
  writeFileSync(join(folder, 'a/b.pem'), 'first', { mode: 0o644 });
  await store.write('a/b.pem', 'second');
  assert.is(await store.read('a/b.pem'), 'second');
  assert.is(statSync(join(folder, 'a/b.pem')).mode & 0o777, 0o600);
  assert.is(statSync(folder).mode & 0o777, 0o700);
  assert.equal(readdirSync(join(folder, 'a')), ['b.pem'], 'no other file is left');
  for (const key of ['../b', 'a//b', '', 'a/..', '/etc/x', 'a/.hidden', 'A'])
    assert.is(await store.write(key, 'x').catch(() => 'refused'), 'refused', key);
});

test('a file that is too large is not read', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'big'), 'x'.repeat(300_000));
  const store = new FolderStore(folder, 'one', new ManualTime().after);
  assert.match(String(await store.read('big').catch(String)), /larger than/);
});

test('a lock excludes another gateway until it is released, or its process has ended', async () => {
  const folder = temporaryFolder();
  const time = new ManualTime();
  const [one, other] = ['one', 'other'].map((token) => new FolderStore(folder, token, time.after));
  const lock = await one!.lock('acme');
  assert.is(await other!.lock('acme'), undefined);
  await time.pass(60_000);
  assert.is(await other!.lock('acme'), undefined, 'it renews itself');
  lock?.release();
  lock?.release();
  const second = await other!.lock('acme');
  assert.ok(second);
  second!.release();
  assert.is(time.timers, 0);
  mkdirSync(join(folder, 'acme/lock'), { recursive: true });
  const gone = { pid: 2 ** 22 + 1, host: (await import('node:os')).hostname(), started: '1', token: 'gone' };
  writeFileSync(join(folder, 'acme/lock/owner.json'), JSON.stringify(gone));
  const third = await one!.lock('acme');
  assert.ok(third, 'of a process that has ended');
  third!.release();
});

test('a certificate is kept with its key; its id for renewals is that of RFC 9773', () => {
  const authority = new AcmeAuthority();
  const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 3, 1)];
  const { cert, key } = authority.issueNew(['a.example'], from, to);
  const held = holdCertificate(cert, key, 'a.example');
  assert.is(held.notBefore, from);
  assert.is(held.notAfter, to + 999);
  assert.match(held.renewalId ?? '', /^[\w-]{27}\.AI?[\w-]{21,22}$/);
  const again = readStored(storedText(held), 'a.example');
  assert.is(again.renewalId, held.renewalId);
  assert.is(again.chain.trim(), cert.trim());
  assert.throws(() => holdCertificate(cert, key, 'b.example'), /is not for b\.example/);
  const other = authority.issueNew(['a.example'], from, to);
  assert.throws(() => holdCertificate(cert, other.key, 'a.example'), /for another key/);
  assert.throws(() => readStored('nothing', 'a.example'), /no key and certificate/);
});

test.run();
