/** mask inside of a cache: what is stored is masked. */
import * as assert from 'uvu/assert';
import { cacheSuite } from './kit.js';

const MASK = `[policy.m]
use = "mask"
reply = [{ paths = ["**.password"], remove = true }, { headers = ["x-user"] }, { find = ["email"] }]
`;
const CACHE = '[policy.c]\nuse = "cache"\n';

// Whatever the order in the spec, the cache is in front of it.
for (const order of ['"c", "m"', '"m", "c"']) {
  const test = cacheSuite(`cache and mask: ${order}`, CACHE + MASK, `policies = [${order}]\n`);

  test('a stored reply is masked, and no later request sees more', async ({ bed }) => {
    const fields = { 'cache-control': 'max-age=60', 'content-type': 'application/json', 'x-user': 'ann', etag: '"1"' };
    bed.origin = () => ({ fields, body: '{"password":"p","note":"a@b.co","n":1}' });
    for (const outcome of [/fwd=uri-miss/, /hit/, /hit/]) {
      const reply = await bed.ask('/x');
      assert.match(reply.header('cache-status') ?? '', outcome);
      assert.is(reply.body.toString(), '{"note":"***","n":1}');
      assert.is(reply.header('x-user'), '***');
    }
    assert.is(bed.asked, 1);
    const part = await bed.ask('/x', { Range: 'bytes=0-9' });
    assert.is(part.status, 206);
    assert.is(part.body.toString(), '{"note":"*');
  });

  test('a reply that cannot be masked is not stored', async ({ bed }) => {
    bed.origin = () => ({
      fields: { 'cache-control': 'max-age=60', 'content-type': 'application/json' },
      body: '{"password":',
    });
    assert.is((await bed.ask('/x')).status, 502);
    bed.origin = () => ({ fields: { 'cache-control': 'max-age=60', 'content-type': 'application/json' }, body: '{}' });
    assert.is((await bed.ask('/x')).body.toString(), '{}');
    assert.is(bed.asked, 2);
  });

  test('events are masked in the reply and in the store', async ({ bed }) => {
    const fields = { 'cache-control': 'max-age=60', 'content-type': 'application/x-ndjson' };
    bed.origin = () => ({ fields, body: '{"password":1}\n{"a":"a@b.co"}\n' });
    for (let round = 0; round < 2; round++) assert.is((await bed.ask('/x')).body.toString(), '{}\n{"a":"***"}\n');
    assert.is(bed.asked, 1);
  });

  test('a validated reply keeps its masked body, and new fields are masked', async ({ bed }) => {
    const modified = 'Tue, 01 Jan 2030 00:00:00 GMT';
    bed.origin = ({ header }) =>
      header('if-modified-since') === undefined
        ? {
            fields: { 'cache-control': 'max-age=1', 'content-type': 'application/json', 'last-modified': modified },
            body: '{"password":1,"a":1}',
          }
        : { status: 304, fields: { 'cache-control': 'max-age=60', 'x-user': 'ann' } };
    assert.is((await bed.ask('/x')).body.toString(), '{"a":1}');
    bed.pass(10);
    const second = await bed.ask('/x');
    assert.is(second.body.toString(), '{"a":1}');
    assert.is(second.header('x-user'), '***');
    assert.is(bed.asked, 2);
  });

  test.run();
}
