import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Decision } from '../../src/policies/contract.js';
import { declarationOf } from '../../src/policies/registry.js';
import { mapLink, mapRefresh } from '../../src/policies/transform/edits/links.js';
import { PathRewrite } from '../../src/policies/transform/edits/path.js';
import { QueryEdits } from '../../src/policies/transform/edits/query.js';
import { ruleSettings } from '../../src/policies/transform/path-rules.js';
import { seeded } from '../support/random.js';
import { before, bodyOf, compile, create, decode, exchange, lint, targetReply } from './support.js';

test('nothing to do: a warning, and no step', () => {
  assert.is(compile('transform', 'request = {}'), undefined);
  assert.equal(lint('transform', 'request = {}'), ['transform/empty']);
  assert.equal(lint('transform', 'reply.status = {}\nreply.cookies = {}'), ['transform/empty']);
  for (const text of ['request.query.allow = []', 'reply.links = {}', 'request.path = "/x"'])
    assert.equal(lint('transform', text), [], text);
});

test('a side without edits has no hook', () => {
  const request = create('transform', 'request.path = "/x"');
  assert.equal([typeof request.before, typeof request.after], ['function', 'undefined']);
  const reply = create('transform', 'reply.status = { 404 = 410 }');
  assert.equal([typeof reply.before, typeof reply.after], ['undefined', 'function']);
  assert.is(declarationOf('transform')!.replyOnly!(decode('transform', 'reply.links = {}').config), true);
  assert.is(declarationOf('transform')!.replyOnly!(decode('transform', 'request.path = "/x"').config), false);
});

test('decisions list what was edited', () => {
  const decisions: Decision[] = [];
  const policy = create(
    'transform',
    `request.path = "/v2/{id}"
request.query = { allow = ["a"], set = { b = "1" } }
request.cookies.remove = ["c"]
request.headers.rename = { x-a = "x-b" }
reply = { status = { 2XX = 201 }, links = {}, headers.remove = ["server"] }`,
  );
  const on = exchange({ params: { id: '7' }, decisions });
  before(policy, on);
  policy.after!(on, targetReply());
  assert.equal(
    decisions.map(({ why }) => why),
    [
      'request: path /v2/7; query: allow a, set b; cookies: remove c; rename x-a to x-b',
      'reply: status 201; links; cookies; remove server',
    ],
  );
});

test('a path that cannot be sent is a problem of the request', () => {
  const policy = create('transform', 'request.path = "/t/{id}"');
  const reply = before(policy, exchange({ params: { id: '..' } }))!;
  assert.equal([reply.status, reply.code, bodyOf(reply)['title']], [400, 'transform/path', 'Path cannot be rewritten']);
});

test('a policy names the fields that it edits, and those that clients send to it', () => {
  const policy = create(
    'transform',
    'request.headers = { rename = { x_old = "x-new" }, set = { x-who = "{consumer.name}", x-a = "{request.header.x-a}!" } }',
  );
  assert.equal(policy.requestFields, ['x_old', 'x-new', 'x-who', 'x-a']);
  assert.equal(policy.clientFields, ['x_old']);
  assert.equal(policy.identityFields, ['x-who']);
  assert.equal(policy.passedFields, ['x-a']);
});

test('conflicts of one name', () => {
  for (const [text, ...found] of [
    ['request.query = { remove = ["a"], set = { a = "1" } }', 'transform/conflict request.query.remove.0'],
    ['request.headers = { remove = ["X-A"], set = { x-a = "1" } }', 'transform/conflict request.headers.remove.0'],
    ['request.cookies = { rename = { a = "b" }, remove = ["a"] }', 'transform/conflict request.cookies.rename.a'],
    ['request.query = { rename = { a = "b" }, set = { b = "1" } }', 'transform/conflict request.query.set.b'],
    ['request.query = { rename = { a = "a" } }', 'transform/conflict request.query.rename.a'],
    ['request.query = { allow = ["b"], rename = { a = "b" } }', 'transform/conflict request.query.rename.a'],
    ['request.query = { allow = ["b"], remove = ["b"] }', 'transform/conflict request.query.remove.0'],
    ['reply.headers = { set = { x-a = "1", X-A = "2" } }', 'transform/duplicate reply.headers.set.X-A'],
    ['reply.headers = { remove = ["x-a"], add = { x-a = "2" } }'],
    ['reply.cookies.same_site = "none"', 'transform/same-site reply.cookies.same_site'],
    ['reply.cookies = { same_site = "none", secure = true }'],
  ] as const)
    assert.equal(lint('transform', text), found, text);
});

test('patterns and templates of paths', () => {
  for (const [value, ...found] of [
    ['"v2"', 'transform/path request.path'],
    ['"http://x/v2"', 'transform/path request.path'],
    ['"/a/../b"', 'transform/path request.path'],
    ['"/a/%2e./b"', 'transform/path request.path'],
    ['"/a?b=1"', 'transform/path request.path'],
    ['"/a b"', 'transform/path request.path'],
    ['"/a%"', 'transform/path request.path'],
    ['"/{a"', 'template/syntax request.path'],
    ['"/{other}"', 'template/unknown-variable request.path'],
    ['"{request.path}/x"'],
    ['"/{id}/{{x}}"'],
    ['{ from = "a", to = "/b" }', 'transform/path request.path.from'],
    ['{ from = "/{a}{b}", to = "/b" }', 'transform/path request.path.from'],
    ['{ from = "/{a}/{a}", to = "/b" }', 'transform/path request.path.from'],
    ['{ from = "/{1a}", to = "/b" }', 'transform/path request.path.from'],
    ['{ from = "/{a...}/b", to = "/b" }', 'transform/path request.path.from'],
    ['{ from = "/é", to = "/b" }', 'transform/path request.path.from'],
    ['{ from = "/a?b", to = "/b" }', 'transform/path request.path.from'],
    [
      '[{ from = "/x", to = "/y" }, { from = "/{a}", to = "/{b}/{id}" }]',
      'template/unknown-variable request.path.1.to',
    ],
    ['[{ from = "/{a}.{b}/{c...}", to = "/{c}/{b}/{a}/{id}" }]'],
  ] as const)
    assert.equal(lint('transform', `request.path = ${value}`), found, value);
});

test('a path that loses what the route makes of it', () => {
  const route = { name: 'r', params: [], methods: [], path: '/x', schemes: [] };
  const found = (text: string, pathKey?: 'rewrite' | 'strip_prefix'): string[] =>
    lint('transform', text, { routes: [{ ...route, ...(pathKey === undefined ? {} : { pathKey }) }] });
  assert.equal(found('request.path = "/v2{request.path}"'), []);
  assert.equal(found('request.path = "/v2{request.path}"', 'strip_prefix'), ['transform/route-path request.path']);
  assert.equal(found('request.path = "/v2"', 'rewrite'), ['transform/route-path request.path']);
  assert.equal(found('request.path = { from = "/a/{b}", to = "/v2/{b}" }', 'rewrite'), []);
  assert.equal(found('request.path = [{ from = "/a", to = "/b" }, { to = "/c" }]', 'rewrite'), []);
});

test('values and names that cannot be sent are refused', () => {
  for (const text of [
    'reply.status = { 99 = 200 }',
    'reply.status = { 206 = 200 }',
    'reply.status = { 200 = 304 }',
    'reply.links.map = { "http://a?b" = "/" }',
    'reply.links.map = { "/a" = "http://user@b" }',
    'reply.links.map = { "/a" = "" }',
    'reply.cookies.path = "a"',
    'reply.cookies.domain = "a;b"',
    'request.cookies.set = { "a b" = "1" }',
    'request.headers.rename = { a = "host" }',
    'request.headers.rename = { content-length = "x" }',
    'request.query.set = { a = "{x" }',
  ])
    assert.ok(decode('transform', text).errors.length > 0, text);
});

test('requestFacts: variables of templates, and what is passed on under another name', () => {
  const { config } = decode(
    'transform',
    `request.path = "/{claims.tenant}/{id}"
request.query = { set = { a = "{consumer.name}" }, rename = { q = "s" }, remove = ["x"] }
request.cookies = { set = { l = "{client.ip}" }, rename = { c = "d" } }
request.headers = { rename = { X-A = "x-b" }, set = { x = "{request.header.x-y}" } }
reply.headers.set = { r = "{request.id}" }`,
  );
  assert.equal(
    declarationOf('transform')!.requestFacts!(config).map(({ kind, name, at }) => [kind, name, at.join('.')]),
    [
      ['claims', 'tenant', 'request.path'],
      ['param', 'id', 'request.path'],
      ['consumer', undefined, 'request.query.set.a'],
      ['client', undefined, 'request.cookies.set.l'],
      ['field', 'x-y', 'request.headers.set.x'],
      ['id', undefined, 'reply.headers.set.r'],
      ['query', 'q', 'request.query.rename.q'],
      ['cookie', 'c', 'request.cookies.rename.c'],
      ['field', 'x-a', 'request.headers.rename.X-A'],
    ],
  );
});

test('property: a pattern captures what a regular expression captures', () => {
  const next = seeded(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  let matched = 0;
  for (let run = 0; run < 4000; run++) {
    const names = ['a', 'b', 'c'];
    const segments = Array.from({ length: 1 + Math.floor(next() * 2) }, () => {
      let text = pick(['', 'x', 'xy']);
      for (let count = Math.floor(next() * 3); count > 0 && names.length > 0; count--)
        text += `{${names.shift()}}${pick(['x', 'y', 'xy', 'yx'])}`;
      return text === '' ? 'x' : text.endsWith('x') && next() < 0.5 ? text.slice(0, -1) || 'x' : text;
    });
    const from = `/${segments.join('/')}`;
    if (/\}\{/.test(from)) continue;
    const used = [...from.matchAll(/\{(\w)\}/g)].map(([, name]) => name!);
    const path = `/${Array.from({ length: segments.length }, () => Array.from({ length: 1 + Math.floor(next() * 8) }, () => pick(['x', 'y'])).join('')).join('/')}`;
    const pattern = new RegExp(`^${from.replace(/\{(\w)\}/g, '(?<$1>[^/]+?)')}$`);
    const rewrite = new PathRewrite([ruleSettings(from, `/r${used.map((name) => `/{${name}}`).join('')}`)]);
    const on = exchange({ path });
    const result = rewrite.apply(on);
    const found = pattern.exec(path);
    assert.is(result, found === null ? 'unchanged' : 'rewritten', `${from} ${path}`);
    if (found === null) continue;
    matched++;
    assert.is(on.targetPath, `/r${used.map((name) => `/${found.groups![name]}`).join('')}`, `${from} ${path}`);
  }
  assert.ok(matched > 300, String(matched));
});

test('a long query is edited in time linear in its length', () => {
  const edits = new QueryEdits({ remove: [], rename: [['q', 'search']], set: [], add: [] });
  const on = exchange({ query: 'search&'.repeat(20_000) });
  const start = performance.now();
  edits.apply(on);
  assert.is(on.query.length, 7 * 20_000 - 1);
  // It took minutes once.
  assert.ok(performance.now() - start < 3000);
});

test('records show the query of the client', () => {
  const edits = new QueryEdits({ remove: [], rename: [['email', 'mail']], set: [['x', ['1']]], add: [] });
  const on = exchange({ query: 'email=a' });
  edits.apply(on);
  edits.apply(on);
  assert.equal([on.query, on.shownQuery], ['mail=a&x=1', 'email=a']);
});

test('links in fields: quoted strings and unfinished ones stay', () => {
  const map = (url: string): string => `[${url}]`;
  for (const [given, expected] of [
    ['<a>; rel="x<b>", <c>', '<[a]>; rel="x<b>", <[c]>'],
    ['<a>; title="\\"<b>"', '<[a]>; title="\\"<b>"'],
    ['<a', '<a'],
    ['', ''],
  ] as const)
    assert.is(mapLink(given, map), expected);
  for (const [given, expected] of [
    ['0; /a', '0; [/a]'],
    ['5 url=/a', '5 url=[/a]'],
    ['0.5,URL = "/a" x', '0.5,URL = "[/a]" x'],
    ['5; url=/a ', '5; url=[/a] '],
    ['0,URL="/a"', '0,URL="[/a]"'],
    ['5', '5'],
    ['5; link=/a', '5; [link=/a]'],
  ] as const)
    assert.is(mapRefresh(given, map), expected);
});

test.run();
