import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Decision, PolicyInstance, Reply } from '../../src/contract/index.js';
import { BytesReply, HeaderMap } from '../../src/policies/run-kit.js';
import { compile, create, decode, exchange, lint } from './support.js';

const SPEC = 'codings = ["br", "gzip"]\nmin_size = "100B"';
const LONG = Buffer.alloc(1000, 'a');

type Fields = { readonly [name: string]: string };

interface Case {
  readonly method?: string;
  readonly status?: number;
  readonly request?: Fields;
  readonly reply?: Fields;
  readonly body?: Uint8Array | null;
}

const made = create('compress', SPEC);

function run(policy: PolicyInstance, given: Case): { reply: Reply; why: string | undefined; stage: boolean } {
  const decisions: Decision[] = [];
  const request = { 'accept-encoding': 'br, gzip', ...given.request };
  const on = exchange({ method: given.method ?? 'GET', headers: Object.entries(request), decisions });
  const fields = { 'content-type': 'application/json', ...given.reply };
  const body = given.body === undefined ? LONG : given.body;
  const before = new BytesReply(given.status ?? 200, { headers: new HeaderMap(Object.entries(fields)), body });
  const reply = (policy.after?.(on, before) as Reply | undefined) ?? before;
  return { reply, why: decisions[0]?.why, stage: policy.readsReply?.(on, reply) === true };
}

const field = (given: Case, name: string): string | undefined => run(made, given).reply.headers.get(name);

test('a compressed reply has the coding, a weak tag, Vary, and no field of the bytes', () => {
  const fields = {
    etag: '"v1"',
    'content-length': '1000',
    'accept-ranges': 'bytes',
    'content-digest': 'sha-256=:AA==:',
    'repr-digest': 'sha-256=:AA==:',
    digest: 'sha-256=AA',
    'content-md5': 'AA',
    vary: 'Origin',
    'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT',
  };
  const { reply, why, stage } = run(made, { reply: fields });
  assert.ok(stage);
  assert.is(why, 'compressed with br');
  assert.equal([...reply.headers.entries()].sort(), [
    ['content-encoding', 'br'],
    ['content-type', 'application/json'],
    ['etag', 'W/"v1"'],
    ['last-modified', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['vary', 'Origin, Accept-Encoding'],
  ]);
});

const VARIES: readonly [what: string, given: Case, why: RegExp][] = [
  ['the client accepts nothing listed', { request: { 'accept-encoding': 'snappy' } }, /accepts no listed coding/],
  ['the client sends no Accept-Encoding', { request: { 'accept-encoding': '' } }, /accepts no listed coding/],
];

for (const [what, given, why] of VARIES) {
  test(`a reply that could be compressed varies if ${what}`, () => {
    const done = run(made, given);
    assert.match(done.why ?? '', why);
    assert.not.ok(done.stage);
    assert.is(done.reply.headers.get('vary'), 'Accept-Encoding');
    assert.is(done.reply.headers.get('content-encoding'), undefined);
  });
}

const NEVER: readonly [what: string, given: Case][] = [
  ['a body with a coding', { reply: { 'content-encoding': 'gzip' } }],
  ['a reply with no-transform', { reply: { 'cache-control': 'public, No-Transform' } }],
  ['a request with no-transform', { request: { 'cache-control': 'no-transform' } }],
  ['a range', { status: 206, reply: { 'content-range': 'bytes 0-9/100' } }],
  ['a 200 with Content-Range', { reply: { 'content-range': 'bytes 0-9/100' } }],
  ['a 204', { status: 204, body: null }],
  ['another media type', { reply: { 'content-type': 'image/png' } }],
  ['a reply without a media type', { reply: { 'content-type': '' } }],
  ['a small body', { body: Buffer.from('tiny') }],
  ['a small declared length', { method: 'HEAD', body: null, reply: { 'content-length': '99' } }],
  ['an empty body', { body: Buffer.alloc(0), request: { 'accept-encoding': 'gzip, identity;q=0' } }],
];

for (const [what, given] of NEVER) {
  test(`not compressed, and no Vary: ${what}`, () => {
    const done = run(made, given);
    assert.not.ok(done.stage);
    assert.match(done.why ?? '', /^not compressed: /);
    assert.is(done.reply.headers.get('vary'), undefined);
  });
}

test('identity in Content-Encoding is no coding', () => {
  assert.is(field({ reply: { 'content-encoding': 'identity' } }, 'content-encoding'), 'br');
});

test('a client that refuses identity gets small replies compressed', () => {
  const given: Case = { body: Buffer.from('tiny'), request: { 'accept-encoding': 'gzip;q=0.5, identity;q=0' } };
  assert.is(field(given, 'content-encoding'), 'gzip');
});

test('a reply to HEAD has the fields of the reply to GET', () => {
  const reply = { etag: '"v1"', 'content-length': '1000' };
  const get = run(made, { reply }).reply.headers.entries();
  const head = run(made, { method: 'HEAD', body: null, reply }).reply.headers.entries();
  assert.equal([...head], [...get]);
});

test('If-None-Match of the weak form gives 304, also if the target compares it as a different tag', () => {
  const { reply, stage } = run(made, {
    request: { 'if-none-match': '"other", W/"v1"' },
    reply: { etag: '"v1"', 'content-length': '1000', 'cache-control': 'max-age=60' },
  });
  assert.is(reply.status, 304);
  assert.is(reply.body, null);
  assert.not.ok(stage);
  assert.equal(
    [...reply.headers.entries()],
    [
      ['cache-control', 'max-age=60'],
      ['vary', 'Accept-Encoding'],
      ['etag', 'W/"v1"'],
    ],
  );
});

test('a 304 of the target gets the tag that the client has, and Vary', () => {
  const given: Case = { status: 304, body: null, request: { 'if-none-match': 'W/"v1"' }, reply: { etag: '"v1"' } };
  assert.is(field(given, 'etag'), 'W/"v1"');
  assert.is(field(given, 'vary'), 'Accept-Encoding');
  assert.is(field({ ...given, request: { 'if-none-match': '"v1"' } }, 'etag'), '"v1"');
});

test('the strong tag in If-None-Match is left to the target', () => {
  assert.is(run(made, { request: { 'if-none-match': '"v1"' }, reply: { etag: '"v1"' } }).reply.status, 200);
});

test('a weak tag of the target stays as it is, and is left to the target', () => {
  const given: Case = { request: { 'if-none-match': 'W/"v1"' }, reply: { etag: 'W/"v1"' } };
  const { reply } = run(made, given);
  assert.is(reply.status, 200);
  assert.is(reply.headers.get('etag'), 'W/"v1"');
});

test('beyond max_streams replies are sent as they are, until a stream ends', () => {
  const policy = create('compress', `${SPEC}\nmax_streams = 1`);
  const on = exchange({ headers: [['accept-encoding', 'gzip']] });
  const reply = new BytesReply(200, { headers: new HeaderMap([['content-type', 'text/plain']]), body: LONG });
  policy.after?.(on, reply);
  const out = { write: () => true, end: () => {}, fail() {}, refuse() {}, onWritable() {}, resume() {} };
  const stage = policy.replyStage?.(on, reply, out);
  assert.ok(stage);
  const second = run(policy, {});
  assert.is(second.reply.headers.get('content-encoding'), undefined);
  assert.is(second.reply.headers.get('vary'), 'Accept-Encoding');
  stage?.abort('client left');
  assert.ok(run(policy, {}).stage);
  assert.equal(policy.stats?.(), { active: 0, compressed: 1, beyondMaxStreams: 1, bytesIn: 0, bytesOut: 0 });
});

test('a reply that another step put in its place keeps its bytes', () => {
  const on = exchange({ headers: [['accept-encoding', 'gzip']] });
  const reply = new BytesReply(200, { headers: new HeaderMap([['content-type', 'text/plain']]), body: LONG });
  made.after?.(on, reply);
  assert.not.ok(made.readsReply?.(on, new BytesReply(500, { body: LONG })));
});

test('keys are checked', () => {
  assert.match(decode('compress', 'types = ["Text/HTML"]').errors[0] ?? '', /media type in lower case/);
  assert.match(decode('compress', 'codings = ["lzw"]').errors[0] ?? '', /lzw/);
  // A policy has at most 10,000 timers, and each stream may need one.
  assert.match(decode('compress', 'max_streams = 10001').errors[0] ?? '', /10,?000/);
  assert.equal(lint('compress', SPEC), []);
  assert.equal(lint('compress', 'codings = ["gzip", "gzip"]'), ['compress/repeated codings.1']);
  assert.equal(lint('compress', 'levels = { br = 11, zstd = 19 }'), [
    'compress/slow levels.zstd',
    'compress/slow levels.br',
  ]);
  assert.equal(lint('compress', 'types = ["text/*", "image/png"]'), ['compress/compressed-type types.1']);
  assert.equal(compile('compress', 'levels = { br = 5 }'), {
    ...(compile('compress', '') as object),
    levels: { br: 5, deflate: 6, gzip: 6, zstd: 3 },
  });
});

test.run();
