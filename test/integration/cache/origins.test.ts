/** Origins whose content changes between the requests for its parts, and replies with trailers. */
import * as assert from 'uvu/assert';
import { cacheSuite } from './kit.js';

const test = cacheSuite('origins that change');

const OLD = 'a'.repeat(10);
const NEW = 'b'.repeat(10);

test('a content that changes between two ranges is sent as a whole, and never mixed', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1', etag: '"v1"' }, body: OLD });
  await bed.ask('/a');
  const first = await bed.ask('/a', { range: 'bytes=0-4' });
  assert.equal([first.status, first.body.toString(), first.header('etag')], [206, OLD.slice(5), '"v1"']);
  bed.pass(5);
  // The answer to the validation is a whole new reply.
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=60', etag: '"v2"' }, body: NEW });
  const second = await bed.ask('/a', { range: 'bytes=5-9', 'if-range': '"v1"' });
  assert.equal([second.status, second.body.toString(), second.header('etag')], [200, NEW, '"v2"']);
  // It was stored, and the tag of the old one fits it no more.
  assert.is((await bed.ask('/a', { range: 'bytes=5-9', 'if-range': '"v1"' })).status, 200);
  const third = await bed.ask('/a', { range: 'bytes=5-9', 'if-range': '"v2"' });
  assert.equal([third.status, third.body.toString()], [206, NEW.slice(5)]);
  assert.is(bed.asked, 2);
});

test('without If-Range, a part is of the content that its tag names', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1', etag: '"v1"' }, body: OLD });
  await bed.ask('/a', { range: 'bytes=0-4' });
  await bed.ask('/a');
  bed.pass(5);
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=60', etag: '"v2"' }, body: NEW });
  for (let times = 0; times < 2; times++) {
    const reply = await bed.ask('/a', { range: 'bytes=5-9' });
    assert.is(reply.header('etag'), '"v2"');
    assert.match(reply.body.toString(), /^b+$/);
  }
});

test('parts of the origin with different tags are not stored, and not made one', async ({ bed }) => {
  let version = 0;
  bed.origin = (request) => {
    version++;
    const fields = { 'cache-control': 'max-age=60', etag: `"v${version}"` };
    const range = /^bytes=(\d)-(\d)$/.exec(request.header('range') ?? '');
    return range === null
      ? { fields, body: NEW }
      : { status: 206, fields: { ...fields, 'content-range': `bytes ${range[1]}-${range[2]}/10` }, body: OLD.slice(5) };
  };
  for (const range of ['bytes=0-4', 'bytes=5-9', 'bytes=0-4']) {
    const part = await bed.ask('/a', { range });
    assert.equal([part.status, part.header('etag')], [206, `"v${version}"`]);
  }
  assert.is(bed.asked, 3);
  assert.is((await bed.ask('/a')).body.toString(), NEW);
});

test('a part in answer to a request for the whole is not stored', async ({ bed }) => {
  bed.origin = () => ({
    status: 206,
    fields: { 'cache-control': 'max-age=60', etag: '"v1"', 'content-range': 'bytes 0-4/10' },
    body: OLD.slice(5),
  });
  await bed.ask('/a');
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=60', etag: '"v1"' }, body: OLD });
  assert.equal([(await bed.ask('/a')).body.toString(), bed.asked], [OLD, 2]);
});

test('a part in answer to a validation does not take the place of the stored reply', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1', etag: '"v1"' }, body: OLD });
  await bed.ask('/a');
  bed.pass(5);
  bed.origin = () => ({
    status: 206,
    fields: { 'cache-control': 'max-age=60', etag: '"v2"', 'content-range': 'bytes 0-4/10' },
    body: NEW.slice(5),
  });
  await bed.ask('/a');
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=60', etag: '"v2"' }, body: NEW });
  const whole = await bed.ask('/a');
  assert.equal([whole.status, whole.body.toString()], [200, NEW]);
});

test('trailers are neither stored nor mixed with the fields', async ({ bed }) => {
  bed.target.respond = (_request, socket) =>
    void socket.write(
      'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
    );
  await bed.ask('/a');
  const hit = await bed.ask('/a');
  assert.match(hit.header('cache-status')!, /hit/);
  assert.equal([hit.body.toString(), hit.header('x-sum')], ['hello', undefined]);
});

test.run();
