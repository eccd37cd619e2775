/** mask as a policy: its rules, replies, records and checks. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json } from '../../../src/bundle/types.js';
import type { Decision, RecordTexts, Reply } from '../../../src/contract/index.js';
import { BytesReply, HeaderMap } from '../../../src/policies/run-kit.js';
import { create, declaration, decode, exchange, lint } from '../support.js';

type Fields = { readonly [name: string]: string };

const reply = (type: string | undefined, body: string | Uint8Array, fields: Fields = {}): Reply =>
  new BytesReply(200, {
    headers: new HeaderMap(Object.entries({ ...(type === undefined ? {} : { 'content-type': type }), ...fields })),
    body,
  });

/** The body as the policy leaves it, or `STATUS code` of its answer; undefined if it does not read it. */
function masked(spec: string, type: string | undefined, body: string | Uint8Array): string | undefined {
  const policy = create('mask', spec);
  const given = reply(type, body);
  if (policy.readsReply?.(exchange(), given) !== true) return undefined;
  const bytes = Buffer.from(body as string);
  const result = policy.onReplyBody!(exchange(), given, bytes);
  if (result instanceof Promise) throw new Error('a promise');
  if (result === undefined || result instanceof Uint8Array) return Buffer.from(result ?? bytes).toString('latin1');
  return `${result.status} ${result.code}`;
}

const PATH = 'reply = [{ paths = ["p"] }]';
const EMAIL = 'reply = [{ find = ["email"] }]';

const BODIES: readonly (readonly [
  what: string,
  spec: string,
  type: string | undefined,
  body: string | Uint8Array,
  after: string | undefined,
])[] = [
  ['JSON', PATH, 'application/json', '{"p":1}', '{"p":"***"}'],
  ['+json', PATH, 'application/problem+json; charset=UTF-8', '{"p":1}', '{"p":"***"}'],
  ['no media type', PATH, undefined, '{"p":1}', '{"p":"***"}'],
  ['two media types', PATH, 'text/plain, application/json', '{"p":1}', '{"p":"***"}'],
  ['no media type and no JSON', PATH, undefined, 'p = 1', 'p = 1'],
  ['a text without a rule for it', PATH, 'text/plain', '{"p":1}', undefined],
  ['a text', EMAIL, 'text/html; charset=utf-8', '<a>a@b.co</a>', '<a>***</a>'],
  [
    'a text in latin1',
    EMAIL,
    'text/plain; charset=iso-8859-1',
    Buffer.from([0xe9, 0x20, 0x61, 0x40, 0x62, 0x2e, 0x63, 0x6f]),
    '\xe9 ***',
  ],
  [
    'a text that is not UTF-8',
    EMAIL,
    'text/plain',
    Buffer.from([0xff, 0x20, 0x61, 0x40, 0x62, 0x2e, 0x63, 0x6f]),
    '\xff ***',
  ],
  ['a text in another charset', EMAIL, 'text/plain; charset=utf-16', 'a', '502 mask/unreadable'],
  ['JSON in another charset', EMAIL, 'application/json; charset=utf-16', '{}', '502 mask/unreadable'],
  ['JSON that is broken', PATH, 'application/json', '{"p":', '502 mask/unreadable'],
  ['JSON that is broken, if it may pass', `${PATH}\non_invalid = "pass"`, 'application/json', '{"p":', '{"p":'],
  ['texts in JSON that is broken', `${EMAIL}\non_invalid = "pass"`, 'application/json', '{"a@b.co', '{"***'],
  ['an empty body', PATH, 'application/json', '', ''],
  ['an image', EMAIL, 'image/png', 'a@b.co', undefined],
  ['a media type of the config', `${EMAIL}\ntext_types = ["application/x-log"]`, 'application/x-log', 'a@b.co', '***'],
  ['lines in another charset', PATH, 'application/x-ndjson; charset=utf-16', '{}\n', '502 mask/unreadable'],
];

for (const [what, spec, type, body, after] of BODIES)
  test(`a body: ${what}`, () => assert.is(masked(spec, type, body), after));

test('lines and events stream, and other bodies have no stage', () => {
  const policy = create('mask', PATH);
  for (const type of ['application/x-ndjson', 'application/jsonl', 'application/json-seq', 'text/event-stream'])
    assert.is(policy.readsReply!(exchange(), reply(type, '')), 'stream');
  assert.is(policy.replyStage!(exchange(), reply('application/json', ''), {} as never), undefined);
});

test('header fields', () => {
  const policy = create(
    'mask',
    `reply = [
      { headers = ["X-User", "x-gone"], keep_last = 2 }, { headers = ["set-cookie"], patterns = ["sid=[a-z]+"], remove = true },
      { headers = ["x-none"], remove = true }, { headers = ["x-mail"], find = ["email"], text = "-" },
    ]`,
  );
  assert.is(policy.readsReply, undefined);
  const decisions: Decision[] = [];
  const given = reply(undefined, '', { 'x-user': 'abcdef', 'x-none': '1', 'x-mail': 'to a@b.co', 'x-other': 'a@b.co' });
  given.headers.append('set-cookie', 'sid=abc; path=/');
  given.headers.append('set-cookie', 'theme=dark');
  policy.after!(exchange({ decisions }), given);
  assert.equal([...given.headers.entries()].sort(), [
    ['set-cookie', '; path=/'],
    ['set-cookie', 'theme=dark'],
    ['x-mail', 'to -'],
    ['x-other', 'a@b.co'],
    ['x-user', '****ef'],
  ]);
  assert.is(decisions[0]?.why, 'header fields masked: x-user, set-cookie, x-none, x-mail');
});

test('a policy declares the body that it reads', () => {
  const bodyOf = (spec: string) => declaration('mask').body!(decode('mask', spec).config);
  assert.equal(bodyOf(`${PATH}\nmax_body = "2KiB"`), { reply: { max: 2048, mandatory: true } });
  assert.is(bodyOf('reply = [{ headers = ["x-a"] }]'), undefined);
  assert.is(bodyOf('logs = [{ query = ["a"] }]'), undefined);
});

// ---------------------------------------------------------------- records

function recorded(logs: string, url: string, route: string | null = 'r', cause: string | null = null): RecordTexts {
  const policy = create('mask', `logs = [${logs}]`);
  const record: RecordTexts = { route, url, cause, whys: ['asked for a@b.co'], callPaths: ['/x/4711/a%40b.co/y'] };
  policy.maskRecord!(record);
  return record;
}

const RECORDS: readonly (readonly [what: string, logs: string, url: string, after: string])[] = [
  ['a parameter', '{ query = ["email"] }', '/a?x=1&email=q&y', '/a?x=1&email=***&y'],
  ['a parameter each time', '{ query = ["e"] }', '/a?e=1&e=2&%65=3', '/a?e=***&e=***&%65=***'],
  [
    'a part of a parameter',
    '{ query = ["e"], find = ["email"] }',
    '/a?e=to+a%40b.co&f=a%40b.co',
    '/a?e=to%20***&f=a%40b.co',
  ],
  ['all texts', '{ find = ["email"] }', '/u/a%40b.co/x?e=a%40b.co&a@b.co', '/u/***/x?e=***&***'],
  ['a removed value', '{ query = ["e"], remove = true }', '/a?e=1', '/a?e='],
  ['a path parameter', '{ params = ["id"], keep_last = 1 }', '/r/4711?id=4711', '/r/***1?id=4711'],
  ['two rules', '{ query = ["e"] }, { find = ["email"], text = "-" }', '/a@b.co?e=a@b.co&f=a@b.co', '/-?e=***&f=-'],
  ['a text that is encoded', '{ query = ["e"], text = "a&b=c" }', '/a?e=1', '/a?e=a%26b%3Dc'],
  ['an invalid encoding', '{ find = ["email"] }', '/%zz/a@b.co%?%=a@b.co', '/%zz/***%25?%=***'],
  ['nothing', '{ query = ["e"] }', '/a%2Fb?x=%41', '/a%2Fb?x=%41'],
  ['a malformed request', '{ find = ["email"] }', '-', '-'],
];

for (const [what, logs, url, after] of RECORDS)
  test(`a record: ${what}`, () => assert.is(recorded(logs, url).url, after));

test('a record: causes and decisions', () => {
  const { cause, whys } = recorded('{ find = ["email"] }', '/', null, 'unknown user a@b.co');
  assert.is(cause, 'unknown user ***');
  assert.equal(whys, ['asked for ***']);
  assert.equal(recorded('{ query = ["e"] }', '/', 'r', 'a@b.co').cause, 'a@b.co');
});

test('a record: the paths of calls, with values of the request', () => {
  assert.equal(recorded('{ params = ["id"] }, { find = ["email"], text = "-" }', '/r/4711').callPaths, ['/x/***/-/y']);
  assert.equal(recorded('{ query = ["who"] }', '/r/1?who=a@b.co').callPaths, ['/x/4711/***/y']);
});

test('a record: a value that is masked in the URL is masked in causes and decisions', () => {
  const policy = create('mask', 'logs = [{ params = ["id"] }, { query = ["who"], keep_last = 2 }]');
  const mask = (url: string, ...whys: string[]): readonly string[] => {
    const record: RecordTexts = { route: 'r', url, cause: null, whys, callPaths: [] };
    policy.maskRecord!(record);
    return record.whys;
  };
  assert.equal(
    mask('/r/alice%40x.co?who=smith.j', 'request: path /v2/alice%40x.co.json', 'alice@x.co, smith.j; smithXj'),
    ['request: path /v2/***.json', '***, *****.j; smithXj'],
  );
  // A short value is found only where it stands by itself.
  assert.equal(mask('/r/7', 'path /v1/7', 'status 17', 'id=7'), ['path /v1/***', 'status 17', 'id=***']);
  const many = Array.from({ length: 200 }, (_, at) => `who=${at}`).join('&');
  assert.equal(mask(`/r/1?${many}`, 'x'), ['***']);
});

test('a path parameter is known by the route', () => {
  assert.is(recorded('{ params = ["id"] }', '/r/4711', 'other').url, '/r/4711');
});

// ---------------------------------------------------------------- checks

test('a good policy has no problem', () => {
  const spec = `reply = [{ paths = ["**.p", "a[*].b"], remove = true }, { find = ["email"] }, { headers = ["x-a"] }]
logs = [{ query = ["e"], hash = "\${env:KEY}" }, { params = ["id"] }, { patterns = ["a+"] }]`;
  assert.equal(lint('mask', spec), []);
});

const LINT: readonly (readonly [spec: string, problems: readonly string[]])[] = [
  ['', ['mask/empty']],
  ['reply = [{ text = "x" }]', ['mask/rule reply.0']],
  ['logs = [{ remove = true }]', ['mask/rule logs.0']],
  ['reply = [{ paths = ["a"], text = "x", remove = true }]', ['mask/rule reply.0.remove']],
  ['reply = [{ headers = ["x-a"], text = "é" }]', ['mask/rule reply.0.text']],
  [
    'reply = [{ patterns = ["a(", "a*", "b"] }]',
    ['mask/pattern reply.0.patterns.0', 'mask/pattern reply.0.patterns.1'],
  ],
  ['logs = [{ params = ["id", "nope"] }]', ['mask/parameter logs.0.params.1']],
  [
    'reply = [{ paths = ["a"] }, { paths = ["a.b", "a", "b.a"] }]',
    ['mask/never reply.1.paths.0', 'mask/never reply.1.paths.1'],
  ],
  ['reply = [{ paths = ["user.email"] }, { paths = ["**.email"] }]', ['mask/never reply.0.paths.0']],
  ['reply = [{ paths = ["a[0].b", "a[*].b", "*.c"] }]', ['mask/never reply.0.paths.0']],
  ['reply = [{ paths = ["a"], find = ["email"] }, { paths = ["a.b"] }]', []],
  ['reply = [{ headers = ["x-a"] }, { headers = ["X-A"], find = ["email"] }]', ['mask/never reply.1.headers.0']],
  ['logs = [{ query = ["e", "e"] }]', ['mask/never logs.0.query.1']],
  [`logs = [${'{ find = ["email"] },'.repeat(101)}]`, ['mask/rule logs']],
];

for (const [spec, problems] of LINT)
  test(`lint of ${spec.slice(0, 80)}`, () => assert.equal(lint('mask', spec), problems));

test('paths that are not paths are errors of the schema', () => {
  for (const path of ['a..b', 'a.', '.a', 'a[b]', '**', 'a.**', 'a[01]', 'a b', 'a["x]', 'x.'.repeat(40)])
    assert.is(decode('mask', `reply = [{ paths = [${JSON.stringify(path)}] }]`).errors.length, 1, path);
  for (const path of ['a', 'a-b._c', '[*]', '[0][1].x', '["a.b"]', '**.*', 'a.**.b[*]', 'ä'])
    assert.equal(decode('mask', `reply = [{ paths = [${JSON.stringify(path)}] }]`).errors, [], path);
});

test('counts of unreadable bodies are in the snapshot', () => {
  const policy = create('mask', PATH);
  policy.onReplyBody!(exchange(), reply('application/json', '{'), Buffer.from('{'));
  assert.equal(policy.stats!() as Json, { unreadable: 1 });
});

test.run();
