/** aggregate over sockets: what becomes of calls in progress when the aggregate ends, by its deadline, its client or a reload. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../support/until.js';
import { type Bed, callOf as call, type Handler, json, startsBeds } from './aggregate-kit.js';

const start = startsBeds(test);

test('calls in progress are cancelled when the time of the aggregate is over, and their connections do not count any more', async () => {
  const of = await start(
    { a: () => {} },
    `[route.aggregate]\ntimeout = "150ms"\n${call('one') + call('two') + call('three', 'after = ["one"]')}`,
    { service: 'max_connections = 2\nmax_queue = 0\n' },
  );
  const service = of.services['a']!;
  for (let count = 1; count <= 3; count++) {
    const reply = await of.get();
    assert.equal([reply.status, (reply.body as { call: string }).call], [504, 'one']);
    await until(() => service.left === count * 2, 'both calls have ended');
  }
  assert.equal([...new Set(service.urls)].sort(), ['/one/7', '/two/7']);
  service.handler = json(1);
  assert.equal((await of.get()).body, { one: 1, two: 1, three: 1 });
});

test('calls that wait for a connection are not sent any more after a failure', async () => {
  const of = await start(
    { a: () => {}, b: json({}, {}, 409) },
    call('held') + call('waits', 'method = "POST"') + call('bad', '', 'b'),
    { match: 'POST /page/{id}', service: 'max_connections = 1\n' },
  );
  const reply = await of.get('/page/7', { method: 'POST' });
  const { call: by, ran } = reply.body as { call: string; ran: unknown };
  assert.equal([reply.status, by], [409, 'bad']);
  await until(() => of.services['a']!.left === 1, 'the held call has ended');
  assert.equal([of.services['a']!.urls, ran], [['/held/7'], undefined]);
});

test('an unsafe call ends with its client, unless a policy keeps the request', async () => {
  const write = (keys: string) =>
    start({ a: () => {} }, call('pay', 'method = "POST"'), {
      match: 'POST /page/{id}',
      ...(keys === '' ? {} : { more: `[policy.once]\nuse = "idempotency"\n`, route: 'policies = ["once"]' }),
    });
  const request = (of: Bed) => {
    const client = of.plane.client();
    client.send('POST /page/7 HTTP/1.1\r\nHost: a.example\r\nIdempotency-Key: "k1"\r\nContent-Length: 0\r\n\r\n');
    return client;
  };
  const plain = await write('');
  const leaving = request(plain);
  await until(() => plain.services['a']!.got.length === 1, 'the call');
  leaving.socket.resetAndDestroy();
  await until(() => plain.services['a']!.left === 1, 'the call has ended');
  const kept = await write('keys');
  const service = kept.services['a']!;
  let answer = (): void => {};
  service.handler = (got, reply) => {
    answer = () => json('paid', {}, 201)(got, reply);
  };
  const gone = request(kept);
  await until(() => service.got.length === 1, 'the call');
  gone.socket.resetAndDestroy();
  await until(() => kept.plane.connections === 0, 'the client has left');
  answer();
  await kept.plane.record(({ calls }) => calls?.[0]?.status === 201);
  const again = request(kept);
  const reply = await again.reply();
  again.destroy();
  assert.equal([reply.status, String(reply.body)], [200, '{"pay":"paid"}']);
  assert.equal([service.got.length, service.left], [1, 0]);
});

test('an aggregate in progress ends with the spec that it has begun with', async () => {
  let release = (): void => {};
  const hold: Handler = (got, reply) => {
    release = () => json(got.url)(got, reply);
  };
  const of = await start({ a: hold, b: json('b') }, call('one') + call('two', 'after = ["one"]', 'b'));
  const old = of.get();
  await until(() => of.services['a']!.got.length === 1, 'the first call');
  await of.plane.load(of.spec.replace('[route.aggregate.call.two]', '[route.aggregate.call.other]'));
  of.services['a']!.handler = json('new');
  const { body } = await of.get();
  release();
  assert.equal(
    [(await old).body, body],
    [
      { one: '/one/7', two: 'b' },
      { one: 'new', other: 'b' },
    ],
  );
});

test.run();
