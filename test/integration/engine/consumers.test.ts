/** Credentials and consumers that are refused, and what that ends: kept identities, streams, tunnels. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConsumerEntry, CredentialEntry } from '../../../src/bundle/types.js';
import { ConsumerSet } from '../../../src/state/consumers/set.js';
import { consumerWith, keyCredential } from '../../support/consumers.js';
import { FaultTarget, Plane, type RawReply, specOf, until } from '../engine-kit.js';

interface Context {
  target: FaultTarget;
  plane: Plane;
  set: ConsumerSet;
  /** Milliseconds since 1970. */
  wall: { now: number };
  change(set: readonly ConsumerEntry[], removed?: readonly string[]): Promise<void>;
}
const test = suite<Context>('consumers');

const NOW = 1_800_000_000_000;
const POLICIES = '[policy.keys]\nuse = "api-key"';
const consumer = (name: string, credential: Partial<CredentialEntry> = {}, more: Partial<ConsumerEntry> = {}) =>
  consumerWith(name, [], { credentials: [keyCredential(`key-of-${name}`, 0, credential)], ...more });

test.before.each(async (context) => {
  context.target = await FaultTarget.start();
  const wall = { now: NOW };
  context.wall = wall;
  const clock = { now: () => wall.now, monotonic: () => performance.now() };
  const spec = specOf(context.target.url, { route: 'policies = ["keys"]', more: POLICIES });
  context.plane = await Plane.start(spec, { clock });
  context.set = ConsumerSet.of([consumer('acme'), consumer('globex')]);
  context.change = async (set, removed = []) => {
    context.set = context.set.with({ set, removed });
    await context.plane.plane.replaceConsumers(structuredClone(context.set.memory));
  };
  await context.change([]);
});
test.after.each(async ({ target, plane }) => {
  await plane.close();
  await target.close();
});

const ask = (key: string, more = '', path = '/'): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: ${key}\r\n${more}\r\n`;

/** What a client sees besides the id and the date. */
const seen = ({ statusLine, fields, body }: RawReply): unknown => [
  statusLine,
  fields.filter(([name]) => name !== 'date' && name !== 'x-request-id'),
  body.toString().replace(/"(instance|request_id)":"[^"]*"/g, ''),
];

test('a client cannot tell an unknown key from one that expired, is disabled, or is not for its address', async (context) => {
  const { plane } = context;
  await context.change([
    consumer('expired', { expires: NOW }),
    consumer('disabled', { disabled: true }),
    consumer('elsewhere', { addresses: ['10.0.0.0/8', '2001:db8::/32'] }),
    consumer('here', { expires: NOW + 1, addresses: ['10.0.0.0/8', '127.0.0.0/8'] }),
  ]);
  const unknown = await plane.ask(ask('unknown'));
  assert.is(unknown.status, 401);
  const causes = {
    expired: 'API key of expired, but credential key-1 of expired expired at 2027-01-15T08:00:00.000Z',
    disabled: 'API key of disabled, but credential key-1 of disabled is disabled',
    elsewhere: 'API key of elsewhere, but credential key-1 of elsewhere is not for the address 127.0.0.1',
  };
  for (const [name, cause] of Object.entries(causes)) {
    const reply = await plane.ask(ask(`key-of-${name}`, '', `/${name}`));
    assert.equal(seen(reply), seen(unknown), name);
    const record = await plane.record(({ url }) => url === `/${name}`);
    assert.equal([record.consumer, record.cause], [null, cause]);
  }
  assert.is((await plane.ask(ask('key-of-here'))).status, 200);
});

test('a disabled consumer gets 403 with a valid key only', async (context) => {
  const { plane } = context;
  const disabled = { disabled: true } as const;
  await context.change([consumer('acme', {}, disabled), consumer('old', { expires: 1 }, disabled)]);
  const reply = await plane.ask(ask('key-of-acme'));
  assert.is(reply.status, 403);
  assert.match(reply.body.toString(), /"type":"urn:gw:problem:auth\/disabled"/);
  assert.is(
    (await plane.record(({ status }) => status === 403)).cause,
    'API key of acme, but consumer acme is disabled',
  );
  assert.is((await plane.ask(ask('key-of-old'))).status, 401);
});

test('a kept identity is checked at each request: change, expiry and removal', async (context) => {
  const { plane, wall } = context;
  const client = plane.client();
  const status = async (): Promise<number> => {
    client.send(ask('key-of-acme'));
    return (await client.reply()).status;
  };
  assert.equal([await status(), await status()], [200, 200]);
  await context.change([consumer('other')]);
  assert.is(await status(), 200, 'another consumer has changed');
  await context.change([consumer('acme', { expires: NOW + 5000 })]);
  assert.is(await status(), 200);
  wall.now += 5000;
  assert.is(await status(), 401, 'nothing has changed but the time');
  await context.change([consumer('acme')]);
  assert.is(await status(), 200);
  await context.change([], ['acme']);
  assert.is(await status(), 401);
  client.destroy();
});

const EVENTS = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n';

/** Opens an endless stream and waits for its first event. */
async function stream({ plane, target }: Context, key: string, path: string) {
  target.respond = ({ socket }) => void socket.write(EVENTS);
  const client = plane.client();
  client.send(ask(key, '', path));
  await until(() => client.pending.includes('data: 1'), 'the first event');
  return client;
}

test('open streams end within a second after their consumer is removed or disabled, or their credential expires', async (context) => {
  const { plane, wall } = context;
  await context.change([
    consumer('gone'),
    consumer('off'),
    consumer('late', { expires: NOW + 60_000 }),
    consumer('kept', {}, { keepStreams: true }),
    consumer('stays', { expires: NOW + 120_000 }),
  ]);
  const names = ['gone', 'off', 'late', 'kept', 'stays'];
  const clients = new Map<string, Awaited<ReturnType<typeof stream>>>();
  for (const name of names) clients.set(name, await stream(context, `key-of-${name}`, `/${name}`));
  const ended = (): string[] => names.filter((name) => clients.get(name)!.ended);
  const since = performance.now();
  await context.change([consumer('off', {}, { disabled: true })], ['gone', 'kept']);
  await until(() => ended().length >= 2, 'two streams end');
  assert.ok(performance.now() - since < 1000);
  assert.equal(ended(), ['gone', 'off']);
  wall.now += 60_000;
  const later = performance.now();
  await until(() => ended().length >= 3, 'the third stream ends');
  assert.ok(performance.now() - later < 1000);
  assert.equal(ended(), ['gone', 'off', 'late']);
  const record = async (name: string): Promise<unknown[]> => {
    const { status, error, cause, consumer: who } = await plane.record(({ url }) => url === `/${name}`);
    return [status, error, cause, who];
  };
  assert.equal(await record('gone'), [200, 'auth/revoked', 'consumer gone was removed', 'gone']);
  assert.equal(await record('off'), [200, 'auth/revoked', 'consumer off is disabled', 'off']);
  const cause = 'credential key-1 of late expired at 2027-01-15T08:01:00.000Z';
  assert.equal(await record('late'), [200, 'auth/revoked', cause, 'late']);
  // A removed consumer with keep_streams gets no new exchange.
  assert.is((await plane.ask(ask('key-of-kept'))).status, 401);
  assert.is(clients.get('kept')!.ended, false);
  for (const client of clients.values()) client.destroy();
});

test('a request that waits for its target gets an error when its key is revoked', async (context) => {
  const { plane, target } = context;
  target.respond = () => {};
  const client = plane.client();
  client.send(ask('key-of-acme'));
  await until(() => target.arrived.length === 1, 'the request arrives');
  await context.change([consumer('acme', { id: `sha256:${'0'.repeat(64)}` })]);
  const reply = await client.reply();
  assert.is(reply.status, 403);
  assert.match(reply.body.toString(), /"type":"urn:gw:problem:auth\/revoked"/);
  client.destroy();
});

test('a tunnel ends when its credential is revoked, or expires', async (context) => {
  const { plane, target, wall } = context;
  target.respond = ({ socket }) =>
    void socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\nhi');
  const upgrade = 'Connection: Upgrade\r\nUpgrade: echo/1\r\n';
  const open = async (name: string) => {
    const client = plane.client();
    client.send(ask(`key-of-${name}`, upgrade, `/${name}`));
    assert.is((await client.reply()).status, 101);
    return client;
  };
  await context.change([
    consumer('late', { expires: NOW + 1000 }),
    consumer('kept', { expires: NOW + 1000 }, { keepStreams: true }),
  ]);
  const [acme, globex, late, kept] = [await open('acme'), await open('globex'), await open('late'), await open('kept')];
  await context.change([consumer('acme', { disabled: true })]);
  await until(() => acme.ended, 'the tunnel ends');
  const { error, cause } = await plane.record(({ url }) => url === '/acme');
  assert.equal([error, cause], ['auth/revoked', 'credential key-1 of acme is disabled']);
  assert.is(late.ended, false);
  wall.now += 1000;
  await until(() => late.ended, 'the other tunnel ends');
  assert.is((await plane.record(({ url }) => url === '/late')).error, 'auth/revoked');
  assert.equal([globex.ended, kept.ended], [false, false]);
  for (const client of [globex, kept]) client.destroy();
});

test('a load with older consumers does not undo a change', async (context) => {
  const { plane, target } = context;
  const before = context.set.memory;
  await context.change([], ['acme']);
  const spec = specOf(target.url, { route: 'policies = ["keys"]', more: POLICIES });
  await plane.load(spec, (program) => program, { consumers: before });
  assert.is((await plane.ask(ask('key-of-acme'))).status, 401);
  assert.is((await plane.ask(ask('key-of-globex'))).status, 200);
});

test.run();
