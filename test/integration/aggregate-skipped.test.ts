/** aggregate over sockets: calls that are not sent, what takes their place, and what depends on them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { callOf as call, json, startsBeds, status } from './aggregate-kit.js';

const start = startsBeds(test);
const NEVER = `when = 'request.query["all"] == "1"'`;
const each = (more: string, from = 'list'): string =>
  call('each', `for_each = "${from}"\nmax_items = 2\n${more}`, 'b').replace('/each/{id}', '/each/{item}');

test('the default of a call that is not sent is its body, also for calls that use it, and the reply is complete', async () => {
  const of = await start(
    { a: json({ id: 1 }), b: json(1) },
    call('me', `${NEVER}\ndefault = { id = 0 }`) +
      call('no', 'if = "me.id"\ndefault = []') +
      call('search', 'query = { user = "{calls.me.body.id}" }', 'b') +
      call('tagged', 'query = { tag = "{calls.me.header.etag}" }\ndefault = "none"', 'b'),
  );
  const reply = await of.get();
  assert.equal(reply.body, { me: { id: 0 }, no: [], search: 1, tagged: 'none' });
  assert.equal([reply.status, reply.headers.get('gw-incomplete')], [200, null]);
  assert.equal([of.services['a']!.urls, of.services['b']!.urls], [[], ['/search/7?user=0']]);
});

test('a call that is not sent has its default, whatever its failure does', async () => {
  const of = await start(
    { a: status(500) },
    call('one', `${NEVER}\ndefault = 5\non_failure = "omit"`) +
      call('two', `${NEVER}\ndefault = 6\non_failure = "fail"`),
  );
  assert.equal((await of.get()).body, { one: 5, two: 6 });
  const sent = await of.get('/page/7?all=1');
  assert.equal([sent.status, (sent.body as { call: string }).call], [502, 'two']);
});

test('the default of a fan-out is that of its items: without a list it is empty', async () => {
  const of = await start(
    { a: json([1, 2, 3]), b: json(1) },
    call('list', 'on_failure = "omit"') + call('none', NEVER) + each('default = "?"'),
  );
  const many = await of.get();
  assert.equal([(many.body as { each: unknown }).each, many.headers.get('gw-incomplete')], [[], 'each']);
  of.services['a']!.handler = status(500);
  const failed = await of.get();
  assert.equal([(failed.body as { each: unknown }).each, failed.headers.get('gw-incomplete')], [[], 'list']);
  assert.equal(of.services['b']!.urls, []);
});

test('gw-incomplete names calls, each once, also for items of a fan-out', async () => {
  const of = await start(
    { a: json([1, 2]), b: status(500), c: status(500) },
    call('list') + each('on_failure = "omit"') + call('other', 'default = 1', 'c'),
  );
  const reply = await of.get();
  assert.is(reply.headers.get('gw-incomplete'), 'other, each');
  assert.equal(
    (reply.body as { errors: { call: string }[] }).errors.map(({ call: of }) => of),
    ['each[0]', 'each[1]'],
  );
});

test('a condition that cannot be evaluated ends the request before a call with effects is sent', async () => {
  const of = await start(
    { a: json({ id: 1 }), b: json(1) },
    call('pay', 'method = "POST"') + call('mail', `after = ["pay"]\nwhen = 'int(request.query["n"]) > 1'`, 'b'),
    { match: 'POST /page/{id}' },
  );
  const post = (query: string) => of.get(`/page/7${query}`, { method: 'POST' });
  assert.is((await post('?n=x')).status, 500);
  assert.equal([of.services['a']!.urls, of.services['b']!.urls], [[], []]);
  assert.equal((await post('?n=2')).body, { pay: { id: 1 }, mail: 1 });
});

test.run();
