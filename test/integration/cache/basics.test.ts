/** What is stored, for how long it is used, and what a client gets of it. */
import * as assert from 'uvu/assert';
import { cacheSuite, dateAt } from './kit.js';

const test = cacheSuite('cache');

test('a stored reply answers further requests, with Age and Cache-Status', async ({ bed }) => {
  const first = await bed.ask('/a');
  assert.is(first.header('cache-status'), 'gw; fwd=uri-miss; stored');
  bed.pass(10);
  const second = await bed.ask('/a');
  assert.is(second.body.toString(), 'hello');
  assert.is(second.header('age'), '10');
  assert.is(second.header('cache-status'), 'gw; hit; ttl=50');
  assert.is(second.header('date'), dateAt(Date.UTC(2030, 0, 1)));
  assert.is(bed.asked, 1);
  bed.pass(51);
  await bed.ask('/a');
  assert.is(bed.asked, 2);
});

for (const [fields, why] of [
  [{ 'cache-control': 'no-store' }, 'no-store'],
  [{ 'cache-control': 'private, max-age=60' }, 'private'],
  [{ 'cache-control': 'max-age=60', vary: '*' }, 'Vary: *'],
  [{}, 'no lifetime'],
] as const) {
  test(`a reply is not used again: ${why}`, async ({ bed }) => {
    bed.origin = () => ({ fields, body: 'x' });
    await bed.ask('/a');
    await bed.ask('/a');
    assert.is(bed.asked, 2);
  });
}

test('a request with Authorization is answered from the store only if the reply allows it', async ({ bed }) => {
  await bed.ask('/a', { authorization: 'Basic QQ==' });
  await bed.ask('/a', { authorization: 'Basic QQ==' });
  assert.is(bed.asked, 2);
  bed.origin = () => ({ fields: { 'cache-control': 's-maxage=60' } });
  await bed.ask('/b', { authorization: 'Basic QQ==' });
  await bed.ask('/b', { authorization: 'Basic Qg==' });
  assert.is(bed.asked, 3);
});

test('HEAD, 304 and ranges are answered from a stored reply', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=60', etag: '"v1"' }, body: '0123456789' });
  await bed.ask('/a');
  const head = await bed.ask('/a', {}, 'HEAD');
  assert.is(head.header('content-length'), '10');
  const unchanged = await bed.ask('/a', { 'if-none-match': 'W/"v1"' });
  assert.is(unchanged.status, 304);
  assert.is(unchanged.header('content-length'), undefined);
  const range = await bed.ask('/a', { range: 'bytes=2-4' });
  assert.is(range.status, 206);
  assert.is(range.header('content-range'), 'bytes 2-4/10');
  assert.is(range.body.toString(), '234');
  const suffix = await bed.ask('/a', { range: 'bytes=-3', 'if-range': '"v1"' });
  assert.is(suffix.body.toString(), '789');
  const other = await bed.ask('/a', { range: 'bytes=-3', 'if-range': '"v2"' });
  assert.is(other.status, 200);
  const several = await bed.ask('/a', { range: 'bytes=0-0,5-6' });
  assert.match(several.header('content-type')!, /^multipart\/byteranges; boundary=/);
  assert.match(
    several.body.toString(),
    /Content-Range: bytes 0-0\/10\r\n\r\n0\r\n[\s\S]*bytes 5-6\/10\r\n\r\n56\r\n--/,
  );
  const beyond = await bed.ask('/a', { range: 'bytes=10-' });
  assert.is(beyond.status, 416);
  assert.is(beyond.header('content-range'), 'bytes */10');
  assert.is(bed.asked, 1);
});

test('a range that is not stored goes to the origin, and its 206 is not stored', async ({ bed }) => {
  bed.origin = (request) =>
    request.header('range') === undefined
      ? { fields: { 'cache-control': 'max-age=60' }, body: '0123456789' }
      : { status: 206, fields: { 'cache-control': 'max-age=60', 'content-range': 'bytes 0-1/10' }, body: '01' };
  assert.is((await bed.ask('/a', { range: 'bytes=0-1' })).status, 206);
  assert.is((await bed.ask('/a')).body.toString(), '0123456789');
  assert.is(bed.asked, 2);
});

test('a stale reply is validated: 304 makes it fresh and updates its fields', async ({ bed }) => {
  bed.origin = (request) =>
    request.header('if-none-match') === '"v1"'
      ? { status: 304, fields: { etag: '"v1"', 'cache-control': 'max-age=30', 'x-new': '1' } }
      : { fields: { etag: '"v1"', 'cache-control': 'max-age=1', 'x-old': '1' }, body: 'kept' };
  await bed.ask('/a');
  bed.pass(5);
  const validated = await bed.ask('/a', { 'if-none-match': '"other"' });
  assert.is(validated.status, 200);
  assert.is(validated.body.toString(), 'kept');
  assert.is(validated.header('x-new'), '1');
  assert.is(validated.header('x-old'), '1');
  assert.is(validated.header('cache-status'), 'gw; fwd=stale; fwd-status=304; stored');
  bed.pass(20);
  assert.is((await bed.ask('/a')).header('cache-status'), 'gw; hit; ttl=10');
  assert.is(bed.asked, 2);
});

test('variants are kept apart by the fields that Vary names', async ({ bed }) => {
  bed.origin = (request) => ({
    fields: { 'cache-control': 'max-age=60', vary: 'X-Lang' },
    body: request.header('x-lang') ?? 'none',
  });
  for (const lang of ['de', 'en', 'de', 'en']) {
    assert.is((await bed.ask('/a', { 'x-lang': lang })).body.toString(), lang);
  }
  assert.is((await bed.ask('/a')).header('cache-status'), 'gw; fwd=vary-miss; stored');
  assert.is((await bed.ask('/a')).body.toString(), 'none');
  assert.is(bed.asked, 3);
});

test('an unsafe method that succeeds makes the stored reply invalid, and those of Location', async ({ bed }) => {
  await bed.ask('/a?b=1&a=2');
  await bed.ask('/new');
  bed.origin = () => ({ status: 500 });
  await bed.ask('/a?b=1&a=2', {}, 'POST');
  assert.is((await bed.ask('/a?a=2&b=1')).status, 200);
  bed.origin = () => ({ status: 201, fields: { location: '/new', 'content-location': 'http://b.example/a' } });
  await bed.ask('/a?b=1&a=2', {}, 'POST');
  bed.origin = () => ({ body: 'after' });
  assert.is((await bed.ask('/a?a=2&b=1')).body.toString(), 'after');
  assert.is((await bed.ask('/new')).body.toString(), 'after');
});

test('only-if-cached gets 504 without a stored reply', async ({ bed }) => {
  const reply = await bed.ask('/a', { 'cache-control': 'only-if-cached' });
  assert.is(reply.status, 504);
  assert.is(JSON.parse(reply.body.toString()).type, 'urn:gw:problem:cache/not-stored');
  assert.is(bed.asked, 0);
});

test('a stale reply is sent if the origin fails and stale-if-error allows it', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1, stale-if-error=60' }, body: 'old' });
  await bed.ask('/a');
  bed.pass(10);
  bed.origin = () => ({ status: 503 });
  const stale = await bed.ask('/a');
  assert.is(stale.status, 200);
  assert.is(stale.body.toString(), 'old');
  assert.is(stale.header('cache-status'), 'gw; fwd=stale; fwd-status=503; ttl=-9');
  bed.pass(60);
  assert.is((await bed.ask('/a')).status, 503);
});

test('without the origin at all, stale-if-error counts too', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1, stale-if-error=60' }, body: 'old' });
  await bed.ask('/a');
  bed.pass(10);
  bed.target.respond = (_request, socket) => socket.destroy();
  const stale = await bed.ask('/a');
  assert.is(stale.body.toString(), 'old');
});

test('an empty reply and a 204 are stored too', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=60' } });
  await bed.ask('/empty');
  assert.is((await bed.ask('/empty')).header('content-length'), '0');
  bed.origin = () => ({ status: 204, fields: { 'cache-control': 'max-age=60' } });
  await bed.ask('/none');
  assert.is((await bed.ask('/none')).status, 204);
  assert.is(bed.asked, 2);
});

test('a reply that ends too early is not stored', async ({ bed }) => {
  bed.target.respond = (_request, socket) =>
    socket.end('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhalf');
  await bed.ask('/a').catch(() => undefined);
  bed.target.respond = (_request, socket) =>
    socket.write('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nfull');
  assert.is((await bed.ask('/a')).body.toString(), 'full');
});

test('a HEAD with the length of a stored reply that came in chunks confirms it', async ({ bed }) => {
  const head = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: "1"\r\n';
  bed.target.respond = (request, socket) =>
    socket.write(
      request.method === 'HEAD'
        ? `${head}Content-Length: 3\r\n\r\n`
        : `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    );
  await bed.ask('/a');
  await bed.ask('/a', { 'cache-control': 'no-cache' }, 'HEAD');
  assert.is((await bed.ask('/a')).header('cache-status'), 'gw; hit; ttl=60');
});

test('a field that is not stored reaches the client whose request validates the reply', async ({ bed }) => {
  const say = (maxAge: number, cookie: string) => ({
    'cache-control': `max-age=${maxAge}, no-cache="set-cookie"`,
    etag: '"1"',
    'set-cookie': cookie,
  });
  bed.origin = () => ({ fields: say(1, 'a=1') });
  await bed.ask('/a');
  assert.is((await bed.ask('/a')).header('set-cookie'), undefined);
  bed.pass(5);
  bed.origin = () => ({ status: 304, fields: say(60, 'a=2') });
  assert.is((await bed.ask('/a')).header('set-cookie'), 'a=2');
  assert.is((await bed.ask('/a')).header('set-cookie'), undefined);
});

test.run();
