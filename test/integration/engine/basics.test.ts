import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, Plane, specOf } from '../engine-kit.js';

test('a GET is forwarded to the target and its reply to the client', async () => {
  const target = await FaultTarget.start();
  const plane = await Plane.start(specOf(target.url));
  const client = plane.client();
  client.send('GET /orders/1?a=b HTTP/1.1\r\nHost: shop.example\r\nX-A: 1\r\n\r\n');
  const reply = await client.reply();
  assert.is(reply.status, 200);
  assert.is(reply.body.toString(), 'hello');
  assert.is(target.arrived[0]!.url, '/orders/1?a=b');
  assert.is(target.arrived[0]!.header('host'), 'shop.example');
  assert.is(target.arrived[0]!.header('x-a'), '1');
  assert.is(target.arrived[0]!.header('x-forwarded-for'), '127.0.0.1');
  client.send('GET /second HTTP/1.1\r\nHost: shop.example\r\n\r\n');
  assert.is((await client.reply()).status, 200);
  assert.is(target.connections, 1);
  client.destroy();
  await plane.close();
  await target.close();
});

test.run();
