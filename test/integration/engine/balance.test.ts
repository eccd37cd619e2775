/** Balancing over real sockets: hash, sticky cookie, latency, retries, priorities, slow start. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, ok, Plane, say, specOf, TestTime, until } from '../engine-kit.js';

interface Context {
  targets: FaultTarget[];
  plane: Plane;
  time: TestTime;
}

const test = suite<Context>('balancing');

test.before(async (context) => {
  context.targets = await Promise.all(['a', 'b', 'c'].map((name) => FaultTarget.start(ok(name))));
  context.time = new TestTime();
  context.plane = await Plane.start(specOf(context.targets[0]!.url), { monotonic: context.time.now });
});

test.before.each(({ targets }) => {
  targets.forEach((target, index) => {
    target.respond = ok('abc'[index]!);
    target.arrived.length = 0;
  });
});

test.after(async ({ plane, targets }) => {
  await plane.close();
  for (const target of targets) await target.close();
});

const urlsOf = (targets: readonly FaultTarget[]): string[] => targets.map(({ url }) => url);

async function ask(plane: Plane, path = '/', fields = ''): Promise<{ body: string; cookie: string | undefined }> {
  const reply = await plane.ask(`GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  assert.is(reply.status, 200);
  return { body: reply.body.toString(), cookie: reply.header('set-cookie') };
}

test('a consistent hash of a field, a cookie and a path parameter', async ({ plane, targets }) => {
  for (const [hash, request] of [
    ['header:X-User', (value: string) => ['/', `x-user: ${value}\r\n`]],
    ['cookie:session', (value: string) => ['/', `cookie: a=b; session=${value}\r\n`]],
    ['param:rest', (value: string) => [`/${value}`, '']],
  ] as const) {
    const service = `balance = { hash = "${hash}" }`;
    await plane.load(specOf(urlsOf(targets), { service }));
    const places = new Map<string, string>();
    for (let round = 0; round < 2; round++)
      for (let user = 0; user < 12; user++) {
        const [path, fields] = request(`user-${user}`);
        const { body } = await ask(plane, path, fields);
        assert.is(places.get(`${user}`) ?? body, body, `${hash} ${user}`);
        places.set(`${user}`, body);
      }
    assert.ok(new Set(places.values()).size > 1, hash);
  }
});

test('a retry goes to a target that was not tried', async ({ plane, targets }) => {
  const order: string[] = [];
  for (const [index, target] of targets.entries())
    target.respond = (_request, socket) => {
      order.push('abc'[index]!);
      socket.destroy();
    };
  const service = 'balance = { hash = "address" }\nretries = 2\neject_after = 0';
  await plane.load(specOf(urlsOf(targets), { service }));
  const reply = await plane.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.is(reply.status, 502);
  // A reused connection that dies under the request says nothing about its target: that one is asked once more.
  assert.equal([...new Set(order)].sort(), ['a', 'b', 'c']);
});

const STICKY = 'sticky = { key = "0123456789abcdef", cookie = "at" }';
const pairOf = (cookie: string): string => cookie.split(';', 1)[0]!;

test('a sticky cookie keeps the target, and does not reach it', async ({ plane, targets }) => {
  await plane.load(specOf(urlsOf(targets), { service: STICKY }));
  const first = await ask(plane);
  assert.match(first.cookie!, /^at=[\w-]{12}\.0\.[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/);
  for (let i = 0; i < 5; i++) {
    const { body, cookie } = await ask(plane, '/', `cookie: x=1; ${pairOf(first.cookie!)}; y=2\r\n`);
    assert.equal([body, cookie], [first.body, undefined]);
  }
  const last = targets.flatMap(({ arrived }) => arrived).at(-1)!;
  assert.is(last.header('cookie'), 'x=1; y=2');
  const bodies = new Set<string>();
  for (let i = 0; i < 3; i++) bodies.add((await ask(plane)).body);
  assert.is(bodies.size, 3, 'clients without it are balanced');
});

test('if its target fails, the client gets another one and its cookie', async ({ plane, targets }) => {
  await plane.load(specOf(urlsOf(targets), { service: `${STICKY}\nretries = 1\neject_after = 0` }));
  const first = await ask(plane);
  targets['abc'.indexOf(first.body)]!.respond = (_request, socket) => socket.destroy();
  const second = await ask(plane, '/', `cookie: ${pairOf(first.cookie!)}\r\n`);
  assert.is.not(second.body, first.body);
  assert.is.not(pairOf(second.cookie!), pairOf(first.cookie!));
  const third = await ask(plane, '/', `cookie: ${pairOf(second.cookie!)}\r\n`);
  assert.equal([third.body, third.cookie], [second.body, undefined]);
});

test('a reply from a cache sets no cookie, nor does one that shared caches may keep', async ({ plane, targets }) => {
  for (const target of targets)
    target.respond = say('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\nx');
  const more = '[policy.store]\nuse = "cache"\n';
  await plane.load(specOf(urlsOf(targets), { service: STICKY, route: 'policies = ["store"]', more }));
  assert.ok((await ask(plane, '/page')).cookie !== undefined);
  await until(async () => (await ask(plane, '/page')).cookie === undefined, 'a reply from the cache');
  assert.is((await ask(plane, '/page')).cookie, undefined);
  await plane.load(specOf(urlsOf(targets), { service: STICKY }));
  assert.ok((await ask(plane, '/page')).cookie !== undefined, 'private replies have it');
  for (const target of targets)
    target.respond = say('HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 1\r\n\r\nx');
  assert.is((await ask(plane, '/page')).cookie, undefined);
});

test('a target with ten times the latency gets less than half its share', async ({ plane, targets }) => {
  for (const balance of ['least-request', 'ewma']) {
    await plane.load(specOf(urlsOf(targets), { service: `balance = "${balance}"` }));
    for (const [index, target] of targets.entries()) {
      target.arrived.length = 0;
      const reply = ok('x');
      target.respond = (request, socket) => {
        setTimeout(() => reply(request, socket), index === 0 ? 50 : 5);
      };
    }
    let left = 240;
    const client = async (): Promise<void> => {
      const connection = plane.client();
      while (left-- > 0) {
        connection.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
        assert.is((await connection.reply()).status, 200);
      }
      connection.destroy();
    };
    await Promise.all(Array.from({ length: 8 }, client));
    const counts = targets.map(({ arrived }) => arrived.length);
    assert.ok(counts[0]! < 240 / 6, `${balance}: ${counts.join(' ')}`);
  }
});

test('a target with a later priority serves when the first ones cannot be reached', async ({ plane, targets }) => {
  const [first, second] = targets;
  const spec = specOf(first!.url, { service: 'eject_after = 1\neject_for = "1h"' }).replace(
    /targets = .*/,
    `targets = ["${first!.url}", { url = "${second!.url}", priority = 1 }]`,
  );
  await plane.load(spec);
  for (let i = 0; i < 3; i++) assert.is((await ask(plane)).body, 'a');
  first!.respond = (_request, socket) => socket.destroy();
  for (let i = 0; i < 3; i++) assert.is((await ask(plane)).body, 'b');
});

test('a target that a reload adds begins slowly', async ({ plane, targets }) => {
  const [first, second, third] = targets;
  const service = 'slow_start = "1h"';
  await plane.load(specOf([first!.url, second!.url], { service }));
  const sharesOf = async (): Promise<number[]> => {
    for (const { arrived } of targets) arrived.length = 0;
    for (let i = 0; i < 21; i++) await ask(plane);
    return targets.map(({ arrived }) => arrived.length);
  };
  assert.equal((await sharesOf()).slice(2), [0], 'the first targets have their whole share');
  await plane.load(specOf([first!.url, second!.url, third!.url], { service }));
  const [, , added] = await sharesOf();
  assert.ok(added! >= 1 && added! <= 2, `${added} of 21`);
});

test('the record of a request says how its target was chosen', async ({ plane, targets }) => {
  plane.plane.watch('decisions');
  await plane.load(specOf(urlsOf(targets), { service: `balance = { hash = "header:x-user" }\n${STICKY}` }));
  const { cookie } = await ask(plane, '/why', 'x-user: 1\r\n');
  await ask(plane, '/why-kept', `cookie: ${pairOf(cookie!)}\r\n`);
  const whyOf = async (path: string): Promise<string | undefined> =>
    (await plane.record((record) => record.url === path)).decisions?.find(({ step }) => step === 'balance')?.why;
  assert.is(await whyOf('/why'), 'consistent hash of header x-user, targets: 3');
  assert.is(await whyOf('/why-kept'), 'sticky cookie, targets: 3');
});

test.run();
