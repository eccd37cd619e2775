/** API keys on connections that outlast reloads and carry requests of several consumers. */
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, Plane, specOf, until } from '../engine-kit.js';

interface Context {
  target: FaultTarget;
  plane: Plane;
}
const test = suite<Context>('API keys');

const specFor = (target: FaultTarget, keys: { readonly [consumer: string]: string }): string => {
  const consumers = Object.entries(keys).map(([name, key]) => {
    const digest = createHash('sha256').update(key).digest('hex');
    return `[consumer.${name}]\napi_keys = ["sha256:${digest}"]`;
  });
  const more = `[policy.keys]\nuse = "api-key"\n${consumers.join('\n')}`;
  return specOf(target.url, { route: 'policies = ["keys"]', more });
};

test.before.each(async (context) => {
  context.target = await FaultTarget.start();
  context.plane = await Plane.start(specFor(context.target, { acme: 'key-of-acme', umbrella: 'key-of-umbrella' }));
});
test.after.each(async ({ target, plane }) => {
  await plane.close();
  await target.close();
});

const ask = (path: string, key: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: ${key}\r\n\r\n`;

test('each request on a connection has its own consumer', async ({ target, plane }) => {
  const client = plane.client();
  const order = ['acme', 'acme', 'umbrella', 'acme', 'unknown', 'unknown', 'umbrella', 'umbrella'];
  for (const [at, name] of order.entries()) {
    client.send(ask(`/${at}`, `key-of-${name}`));
    assert.is((await client.reply()).status, name === 'unknown' ? 401 : 200, `${at} ${name}`);
    const { consumer } = await plane.record(({ url }) => url === `/${at}`);
    assert.is(consumer, name === 'unknown' ? null : name);
  }
  assert.is(target.arrived.length, 6);
  assert.not.ok(
    target.arrived.some(({ head }) => /key-of/.test(head)),
    'no key goes to the target',
  );
  client.destroy();
});

test('a key removed by a reload is refused on a connection that used it before', async ({ target, plane }) => {
  const client = plane.client();
  const status = async (key: string): Promise<number> => {
    client.send(ask('/', key));
    return (await client.reply()).status;
  };
  for (let i = 0; i < 3; i++) assert.is(await status('key-of-acme'), 200);
  await plane.load(specFor(target, { acme: 'new-key-of-acme', umbrella: 'key-of-umbrella' }));
  assert.is(await status('key-of-acme'), 401);
  assert.is(await status('new-key-of-acme'), 200);
  await plane.load(specFor(target, { umbrella: 'new-key-of-acme' }));
  assert.is(await status('new-key-of-acme'), 200);
  assert.is((await plane.record(({ consumer }) => consumer === 'umbrella')).status, 200);
  client.destroy();
});

test('a key in the query does not appear in any record', async ({ target, plane }) => {
  const policy = 'use = "api-key"\nquery = "key"';
  const more = `[policy.keys]\n${policy}\n[[route]]\nmatch = "GET /open"\nto = "it"\n[[route]]\nmatch = "GET /kept"\nto = "it"\npolicies = ["keys"]`;
  const spec = specOf(target.url, { more }).replace('match = "/{rest...}"', 'match = "GET /shut/{rest...}"');
  await plane.load(spec);
  for (const [line, status, url] of [
    ['GET /nowhere?key=s3cret&a=1', 404, '/nowhere?a=1'],
    ['GET /nowhere?a=1&k%65y=s3cret&b', 404, '/nowhere?a=1&b'],
    ['POST /kept?key=s3cret', 405, '/kept'],
    ['GET /kept?key=s3cret&a=2', 401, '/kept?a=2'],
    ['GET /open?key=s3cret&a=3&key=s3cret', 200, '/open?a=3'],
  ] as const) {
    const before = plane.records.length;
    const reply = await plane.ask(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.is(reply.status, status, line);
    await until(() => plane.records.length > before, 'the record');
    assert.is(plane.records.at(-1)!.url, url);
  }
  assert.not.match(JSON.stringify(plane.records), /s3cret/);
  assert.match(target.arrived.at(-1)!.url, /key=s3cret/, 'a route without the policy has a parameter of its own');
});

test.run();
