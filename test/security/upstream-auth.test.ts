/** Attacks on the credentials that gw adds: clients that supply them, duplicate them, or have them removed. */
import * as assert from 'uvu/assert';
import { specOf } from '../integration/engine-kit.js';
import { type EngineContext, engineSuite } from '../integration/engine-suite.js';

const test = engineSuite('upstream-auth attacks');

const load = ({ plane, target }: EngineContext, policy: string, more = ''): Promise<void> =>
  plane.load(
    specOf(target.url, {
      service: 'policies = ["sign"]',
      more: `[policy.sign]\nuse = "upstream-auth"\n${policy}\n${more}`,
    }),
  );

const ask = (fields: string): string => `GET / HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`;

test('identity smuggling: other case, several fields, an underscore, a field that Connection lists', async (context) => {
  await load(context, 'fields = { X-Api-Key = "own" }');
  for (const fields of [
    'X-API-KEY: forged\r\n',
    'x-api-key: forged\r\nX-Api-Key: forged\r\n',
    'Connection: x-api-key\r\n',
    'Connection: x-api-key, keep-alive\r\nx-api-key: forged\r\n',
  ]) {
    assert.is((await context.plane.ask(ask(fields))).status, 200, fields);
    const { head } = context.target.arrived.at(-1)!;
    assert.equal(head.match(/^x-api-key:.*$/gim), ['x-api-key: own'], fields);
  }
  const arrived = context.target.arrived.length;
  for (const fields of ['X_Api_Key: forged\r\n', 'x-api_key: forged\r\n'])
    assert.is((await context.plane.ask(ask(fields))).status, 400, fields);
  assert.is(context.target.arrived.length, arrived);
});

test('a credential of the client does not take the place of one that gw lacks', async (context) => {
  await load(context, 'basic = { username = "{consumer.tags.login}", password = "p" }');
  const reply = await context.plane.ask(ask('Authorization: Basic Zm9yZ2VkOng=\r\n'));
  assert.is(reply.status, 503);
  assert.is(context.target.arrived.length, 0);
  assert.not.match(reply.body.toString(), /login|Basic/);
});

test('a condition that does not hold lets no credential of the client pass', async (context) => {
  await load(context, 'fields = { x-api-key = "own" }\nwhen = "request.path == \'/signed\'"');
  assert.is((await context.plane.ask(ask('X-Api-Key: forged\r\n'))).status, 200);
  assert.is(context.target.arrived[0]!.header('x-api-key'), undefined);
});

test('values of a consumer cannot add a field or end the head', async (context) => {
  await load(context, 'fields = { x-name = "{request.header.x-given}" }');
  await context.plane.ask(ask('X-Given: a\tb\r\n'));
  assert.is(context.target.arrived[0]!.header('x-name'), 'a\tb');
  const odd = 'X-Given: \u00e9\r\n';
  await context.plane.ask(ask(odd));
  assert.is(context.target.arrived.length, 2);
});

test.run();
