/** What gw does with the frames of clients, by RFC 9113 and RFC 7541. */
import * as assert from 'uvu/assert';
import { brokenBy } from '../../support/http2/check-rule.js';
import { GET, headers } from '../../support/http2/hpack.js';
import { END_STREAM, frame, PREFACE, RawHttp2, setting, Type } from '../../support/http2/raw-client.js';
import { RULES } from '../../support/http2/rules.js';
import { sharedEngineSuite } from '../engine-suite.js';

const test = sharedEngineSuite('HTTP/2 rules');

for (const rule of RULES)
  test(`RFC ${rule.section.includes(' ') ? '' : '9113 '}${rule.section}: ${rule.what}`, async ({ plane }) => {
    assert.is(await brokenBy(plane.port, rule), undefined);
  });

test('RFC 9113 3.4: the server begins with SETTINGS; another first frame of the client is refused', async ({
  plane,
}) => {
  const client = await RawHttp2.open(plane.port);
  client.send(PREFACE, frame(Type.Ping, 0, 0, Buffer.alloc(8)));
  await client.until(() => client.closed, 'the end');
  assert.is(client.frames[0]!.type, Type.Settings);
  assert.is((await client.goaway()).code, 1);
});

test('RFC 9113 6.9.2: the windows of the client bound DATA, also when they change', async ({ plane }) => {
  const client = await RawHttp2.ready(plane.port, false, setting(4, 0));
  const lengths = (): number[] =>
    client.frames.filter(({ type }) => type === Type.Data).map(({ payload }) => payload.length);
  client.send(headers(1, GET));
  assert.is(await client.status(1), 200);
  await client.pinged();
  assert.equal(lengths(), []);
  client.send(frame(Type.Settings, 0, 0, setting(4, 1)));
  await client.until(() => lengths().length === 1, 'a byte');
  client.send(frame(Type.Settings, 0, 0, setting(4, 0)), frame(Type.WindowUpdate, 0, 1, Buffer.from([0, 0, 0, 3])));
  await client.until(() => lengths().length === 2, 'two bytes');
  assert.equal(lengths(), [1, 2]);
  client.send(frame(Type.WindowUpdate, 0, 1, Buffer.from([0, 0, 0, 2])));
  await client.frame(({ type, flags }) => type === Type.Data && (flags & END_STREAM) !== 0);
  assert.equal(
    lengths().reduce((sum, one) => sum + one),
    5,
  );
  client.destroy();
});

test.run();
