/** Endpoints of a service that appear, change and go while requests are served. */
import * as assert from 'uvu/assert';
import type { Endpoint, ServiceEndpoints } from '../../../src/proxy/types.js';
import { FaultTarget, ok, type Plane, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('changing endpoints');
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

/** With a slot each; `host`: the name that stands in their URLs. */
function endpointsOf(plane: Plane, targets: readonly FaultTarget[], more: Partial<Endpoint> = {}): readonly Endpoint[] {
  const named = targets.map(({ port }) => ({ url: `http://orders.test:${port}`, address: '127.0.0.1' }));
  const slots = plane.registry.assignTargets('it', named, performance.now());
  return named.map((endpoint, at) => ({ ...endpoint, weight: 1, slot: slots[at]!, ...more }));
}

const update = (plane: Plane, version: number, endpoints: readonly Endpoint[], cause?: string): Promise<void> =>
  plane.plane.updateTargets({ services: [serviceOf(version, endpoints, cause)], chunks: plane.registry.chunks(0) });

const serviceOf = (version: number, endpoints: readonly Endpoint[], cause?: string): ServiceEndpoints => ({
  service: 'it',
  version,
  endpoints,
  ...(cause === undefined ? {} : { cause }),
});

test('an endpoint that appears gets requests, one that goes drains, one that stays keeps its connection', async ({
  target,
  plane,
}) => {
  const other = await FaultTarget.start(ok('other'));
  target.respond = ok('first');
  await update(plane, 1, endpointsOf(plane, [target]));
  assert.is((await plane.ask(GET)).body.toString(), 'first');
  await update(plane, 2, endpointsOf(plane, [target, other]));
  const bodies = [];
  for (let turn = 0; turn < 4; turn++) bodies.push((await plane.ask(GET)).body.toString());
  assert.equal(bodies.sort(), ['first', 'first', 'other', 'other']);
  assert.is(target.connections, 1, 'the endpoint that stayed kept its connection');

  // A reply on its way when its endpoint goes is delivered whole, and then its connection closes.
  let finish = (): void => {};
  target.respond = (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsl');
    finish = () => socket.write('ow!');
  };
  const slow = [plane.ask(GET), plane.ask(GET)];
  await until(() => target.arrived.length === 4, 'a request at the first endpoint');
  await update(plane, 3, endpointsOf(plane, [other]));
  for (let turn = 0; turn < 3; turn++) assert.is((await plane.ask(GET)).body.toString(), 'other');
  finish();
  const replies = await Promise.all(slow);
  assert.equal(replies.map(({ body }) => body.toString()).sort(), ['other', 'slow!']);
  await until(() => target.open === 0, 'the drained connection');
  await other.close();
});

test('a service without endpoints answers 503 with the cause in the record', async ({ plane }) => {
  await update(plane, 1, [], 'the name orders.test does not resolve');
  const reply = await plane.ask(GET);
  assert.is(reply.status, 503);
  const record = await plane.record(({ error }) => error === 'upstream/none');
  assert.is(record.cause, 'the name orders.test does not resolve');
});

test('an older version changes nothing, and a load begins with the newest endpoints', async ({ target, plane }) => {
  const other = await FaultTarget.start(ok('other'));
  target.respond = ok('first');
  await update(plane, 5, endpointsOf(plane, [target]));
  await update(plane, 4, endpointsOf(plane, [other]));
  assert.is((await plane.ask(GET)).body.toString(), 'first');
  const endpoints = endpointsOf(plane, [other]);
  const spec = specOf('http://unused.invalid');
  await plane.load(spec, undefined, { endpoints: new Map([['it', serviceOf(3, endpoints)]]) });
  assert.is((await plane.ask(GET)).body.toString(), 'first', 'what came after the load was prepared');
  await plane.load(spec, undefined, { endpoints: new Map([['it', serviceOf(6, endpoints)]]) });
  assert.is((await plane.ask(GET)).body.toString(), 'other');
  await until(() => target.open === 0, 'the idle connection of the endpoint that is gone');
  await other.close();
});

test('an exchange of an older generation is sent to the new endpoints', async ({ target, plane }) => {
  const other = await FaultTarget.start(ok('other'));
  await update(plane, 1, endpointsOf(plane, [target]));
  let fail = (): void => {};
  target.respond = (_, socket) => {
    fail = () => socket.resetAndDestroy();
  };
  const asked = plane.ask(GET);
  await until(() => target.arrived.length === 1, 'the first attempt');
  await plane.load(specOf('http://unused.invalid', { service: 'response_timeout = "9s"' }), undefined, {
    endpoints: new Map([['it', serviceOf(2, endpointsOf(plane, [other]))]]),
  });
  await update(plane, 3, endpointsOf(plane, [other]));
  fail();
  assert.is((await asked).body.toString(), 'other');
  await other.close();
});

test('an endpoint that active checks find unhealthy gets no requests while another one is available', async ({
  target,
  plane,
}) => {
  const other = await FaultTarget.start(ok('other'));
  target.respond = ok('first');
  const [down] = endpointsOf(plane, [target, other]);
  const both = endpointsOf(plane, [target, other]);
  await update(plane, 1, [{ ...down!, down: true }, both[1]!]);
  for (let turn = 0; turn < 4; turn++) assert.is((await plane.ask(GET)).body.toString(), 'other');
  await update(plane, 2, both);
  const bodies = new Set();
  for (let turn = 0; turn < 2; turn++) bodies.add((await plane.ask(GET)).body.toString());
  assert.equal([...bodies].sort(), ['first', 'other']);
  await other.close();
});

test('an endpoint that cannot be used is left out and logged', async ({ target, plane }) => {
  target.respond = ok('first');
  const [good] = endpointsOf(plane, [target]);
  await update(plane, 1, [{ ...good!, url: 'ftp://nothing' }, good!]);
  for (let turn = 0; turn < 2; turn++) assert.is((await plane.ask(GET)).body.toString(), 'first');
  assert.is(plane.logs.filter(({ message }) => message === 'target cannot be used').length, 1);
});

test.run();
