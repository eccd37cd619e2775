/** Every version of HTTP from clients to every version to targets: a request and its reply are the same in all combinations. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Asked,
  CLIENTS,
  clientOf,
  type VersionAsk,
  type VersionClient,
} from '../../../support/versions/clients.js';
import {
  TARGETS,
  type TargetAnswer,
  type TargetReply,
  type TargetRequest,
  VersionTarget,
} from '../../../support/versions/targets.js';
import { Plane, until } from '../../engine-kit.js';

const [CERT, KEY] = ['cert', 'key'].map((name) => join(process.cwd(), `test/integration/fixtures/tls-${name}.pem`));

const service = (kind: string, url: string): string => `
[service.${kind}]
targets = ["${url}"]
protocol = "${kind.startsWith('h2') ? 'h2' : 'http/1.1'}"
retries = 0
eject_after = 0
${url.startsWith('https') ? 'tls.verify = false' : ''}
[[route]]
name = "${kind}"
match = "/${kind}/{rest...}"
to = "${kind}"
strip_prefix = "/${kind}"
`;

const spec = (urls: readonly string[]): string => `
spec = 1
[listener.plain]
address = "127.0.0.1:0"
[listener.tls]
address = "127.0.0.1:0"
tls = { cert = ${JSON.stringify(CERT)}, key = ${JSON.stringify(KEY)} }
${TARGETS.map((kind, index) => service(kind, urls[index]!)).join('')}
`;

// ---------------------------------------------------------------- target

/** Calls `then` with the whole body. */
function whole(request: TargetRequest, then: (body: Buffer) => void): void {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => then(Buffer.concat(parts)));
  request.on('error', () => undefined);
}

/** Requests of `/silent` and `/half` that the target has got, and whether they have ended, by their id. */
const kept = new Map<string, { ended: boolean }>();

/** What cuts the replies of `/cut`. */
const cuts: (() => void)[] = [];

function keep(request: TargetRequest, reply: TargetReply): void {
  const one = { ended: false };
  kept.set(String(request.headers['x-id']), one);
  request.on('error', () => undefined);
  request.resume();
  reply.on('close', () => (one.ended = true));
}

const ANSWERS: { readonly [path: string]: TargetAnswer } = {
  '/echo': (request, reply) =>
    whole(request, (body) => {
      const { cookie, 'x-own': own, 'content-length': length, te, trailer } = request.headers;
      const seen = { method: request.method, cookie, own, length, te, trailer, trailers: request.trailers };
      reply.writeHead(200, { 'x-seen': JSON.stringify(seen), 'set-cookie': ['a=1', 'b=2'], trailer: 'x-sum' });
      reply.write(body.subarray(0, 10));
      setImmediate(() => {
        reply.write(body.subarray(10));
        reply.addTrailers({ 'x-sum': String(body.length), 'x-more': 'b' });
        reply.end();
      });
    }),
  '/length': (_request, reply) => {
    reply.writeHead(200, { 'content-length': '5', etag: '"a"' });
    reply.end('hello');
  },
  '/empty': (request, reply) =>
    whole(request, () => {
      reply.writeHead(200, { trailer: 'x-sum' });
      reply.addTrailers({ 'x-sum': '0' });
      reply.end();
    }),
  '/204': (_request, reply) => {
    reply.writeHead(204, { 'x-a': 'b' });
    reply.end();
  },
  '/304': (_request, reply) => {
    reply.writeHead(304, { etag: '"a"' });
    reply.end();
  },
  '/hints': (_request, reply) => {
    reply.writeEarlyHints({ link: '</a.css>; rel=preload' });
    setImmediate(() => {
      reply.writeHead(200);
      reply.end('after hints');
    });
  },
  '/continue': (request, reply) => {
    reply.writeContinue();
    whole(request, (body) => {
      reply.writeHead(200);
      reply.end(body);
    });
  },
  '/early': (request, reply) => {
    request.on('error', () => undefined);
    reply.writeHead(413, { 'content-length': '3' });
    reply.end('big');
  },
  '/reset': (request, _reply, target) => whole(request, () => target.breakOff(request)),
  '/cut': (request, reply, target) =>
    whole(request, () => {
      reply.writeHead(200);
      reply.write('half');
      cuts.push(() => target.breakOff(request));
    }),
  '/half': (request, reply) => {
    keep(request, reply);
    reply.writeHead(200);
    reply.write('half');
  },
  '/silent': keep,
};

const answer: TargetAnswer = (request, reply, target) => ANSWERS[request.url!]!(request, reply, target);

// ---------------------------------------------------------------- the same for all

type Ask = (request: VersionAsk) => Asked;

const BIG = Buffer.alloc(300_000, 'x');
let ids = 0;

async function failed(asked: Asked): Promise<boolean> {
  return await asked.reply.then(
    () => false,
    () => true,
  );
}

/** A request that the target has got, and keeps. */
async function begun(ask: Ask, request: VersionAsk): Promise<{ asked: Asked; at: { ended: boolean } }> {
  const id = String(ids++);
  const asked = ask({ ...request, fields: { 'x-id': id, ...request.fields } });
  return { asked, at: await until(() => kept.get(id), 'the request') };
}

/** Requests whose clients leave: without a body, with a whole one, within it, and within the reply. */
const LEFT: readonly VersionAsk[] = [
  { path: '/silent' },
  { method: 'POST', path: '/silent', body: ['abc'] },
  { method: 'POST', path: '/silent', fields: { 'content-length': '600000' }, body: [BIG], unfinished: true },
  { path: '/half' },
];

const SCENES: { readonly [what: string]: (ask: Ask) => Promise<void> } = {
  async 'a body in parts, cookies and trailers in both directions'(ask) {
    const fields = { 'x-own': 'o', cookie: 'a=1; b=2' };
    const request = {
      method: 'POST',
      path: '/echo',
      fields,
      body: ['first', BIG, 'last'],
      trailers: { 'x-part': 'p' },
    };
    const reply = await ask(request).reply;
    assert.is(reply.status, 200);
    assert.is(reply.body.length, BIG.length + 9);
    assert.equal(reply.fields['set-cookie'], ['a=1', 'b=2']);
    assert.is(reply.fields['content-length'], undefined);
    const seen = JSON.parse(String(reply.fields['x-seen'])) as { [name: string]: unknown };
    assert.equal([seen['method'], seen['cookie'], seen['own']], ['POST', 'a=1; b=2', 'o']);
    assert.equal(seen['trailers'], { 'x-part': 'p' });
    assert.equal({ ...reply.trailers }, { 'x-sum': String(BIG.length + 9), 'x-more': 'b' });
  },
  async 'a body of a known length'(ask) {
    const request = { method: 'PUT', path: '/echo', fields: { 'content-length': '300000' }, body: [BIG] };
    const reply = await ask(request).reply;
    assert.ok(reply.body.equals(BIG));
    assert.is((JSON.parse(String(reply.fields['x-seen'])) as { length: string }).length, '300000');
  },
  async 'an empty body, and a reply of trailers alone'(ask) {
    const reply = await ask({ method: 'POST', path: '/empty', fields: { 'content-length': '0' }, body: [] }).reply;
    assert.equal([reply.status, reply.body.length, reply.trailers['x-sum']], [200, 0, '0']);
  },
  async 'GET and HEAD'(ask) {
    const got = await ask({ path: '/length' }).reply;
    assert.equal(
      [got.status, String(got.body), got.fields['content-length'], got.fields.etag],
      [200, 'hello', '5', '"a"'],
    );
    const head = await ask({ method: 'HEAD', path: '/length' }).reply;
    assert.equal([head.status, head.body.length, head.fields['content-length']], [200, 0, '5']);
  },
  async '204 and 304'(ask) {
    const none = await ask({ method: 'DELETE', path: '/204' }).reply;
    assert.equal(
      [none.status, none.body.length, none.fields['x-a'], none.fields['content-length']],
      [204, 0, 'b', undefined],
    );
    const same = await ask({ path: '/304', fields: { 'if-none-match': '"a"' } }).reply;
    assert.equal([same.status, same.body.length, same.fields.etag], [304, 0, '"a"']);
  },
  async 'early hints and 100 Continue'(ask) {
    const hints = await ask({ path: '/hints' }).reply;
    assert.is(String(hints.body), 'after hints');
    assert.equal(
      hints.interims.map(({ status, fields }) => [status, fields['link']]),
      [[103, '</a.css>; rel=preload']],
    );
    const goes = await ask({ method: 'POST', path: '/continue', expects: true, body: ['abc'] }).reply;
    assert.equal([goes.status, String(goes.body)], [200, 'abc']);
  },
  async 'a reply before the end of the body'(ask) {
    const asked = ask({
      method: 'POST',
      path: '/early',
      fields: { 'content-length': '600000' },
      body: [BIG],
      unfinished: true,
    });
    await asked.head;
    asked.leave();
    await asked.reply.then(({ status }) => assert.is(status, 413)).catch(() => undefined);
  },
  async 'a target that resets before its reply, and within it'(ask) {
    const before = await ask({ method: 'POST', path: '/reset', body: ['abc'] }).reply;
    assert.is(before.status, 502);
    const within = ask({ method: 'POST', path: '/cut', body: ['abc'] });
    await within.head;
    cuts.pop()!();
    assert.ok(await failed(within));
  },
  async 'a client that leaves ends the request at the target, before, within and after its body'(ask) {
    for (const request of LEFT) {
      const { asked, at } = await begun(ask, request);
      if (request.path === '/half') await asked.head;
      asked.leave();
      await until(() => at.ended, `the end of the request of ${request.path}`);
      assert.ok(await failed(asked));
    }
  },
};

// ---------------------------------------------------------------- tests

interface Context {
  plane: Plane;
  targets: VersionTarget[];
  clients: Map<string, VersionClient>;
}
const test = suite<Context>('versions of HTTP');

test.before(async (context) => {
  const tls = { cert: readFileSync(CERT!), key: readFileSync(KEY!) };
  context.targets = await Promise.all(TARGETS.map((kind) => VersionTarget.start(kind, answer, tls)));
  context.plane = await Plane.start(spec(context.targets.map(({ url }) => url)));
  const [plain, secure] = context.plane.ports;
  const ports = { plain: plain!, tls: secure! };
  context.clients = new Map(CLIENTS.map((kind) => [kind, clientOf(kind, ports)]));
});
test.after(async ({ plane, targets, clients }) => {
  for (const client of clients.values()) client.close();
  await plane.close();
  for (const target of targets) target.close();
});

/** TLS under HTTP/1.1 on both sides, and all combinations of the others. */
const isTested = (client: string, target: string): boolean => (client === 'https1') === (target === 'https1');

for (const what of Object.keys(SCENES))
  for (const client of CLIENTS)
    for (const target of TARGETS.filter((kind) => isTested(client, kind)))
      test(`${client} to ${target}: ${what}`, async ({ clients }) => {
        await SCENES[what]!((request) => clients.get(client)!.ask({ ...request, path: `/${target}${request.path}` }));
      });

test.run();
