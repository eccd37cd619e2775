/** Connections to targets that are too old for further requests. */
import * as assert from 'uvu/assert';
import { ok, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('age of connections to targets');
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

for (const [kind, service] of [
  ['own', ''],
  ['shared', 'pipelining = 8'],
] as const)
  test(`${kind} connections serve no request beyond their age, and none is lost`, async ({ plane, target, time }) => {
    await plane.load(specOf(target.url, { service: `max_connection_age = "10s"\n${service}` }));
    target.respond = ok('first');
    assert.is((await plane.ask(GET)).body.toString(), 'first');
    assert.is((await plane.ask(GET)).body.toString(), 'first');
    assert.is(target.connections, 1);
    time.pass(10_000);
    await until(() => target.open === 0, 'the end of the idle connection');
    assert.is((await plane.ask(GET)).status, 200);
    assert.is(target.connections, 2);

    // One that is in use ends after its reply.
    let finish = (): void => {};
    target.respond = (_, socket) => {
      finish = () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate');
    };
    const asked = plane.ask(GET);
    await until(() => target.arrived.length === 4, 'the request');
    time.pass(10_000);
    assert.is(target.open, 1);
    finish();
    assert.is((await asked).body.toString(), 'late');
    await until(() => target.open === 0, 'its end');
  });

test.run();
