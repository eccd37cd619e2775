/** Edits of credentials: only lines of the consumer change, and the text says what it is meant to say. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CredentialChange, EditRefused } from '../../../src/spec/edit/change.js';
import { addToJsonLines, editJsonLines } from '../../../src/spec/edit/json-lines.js';
import { credentialsIn } from '../../../src/spec/edit/read.js';
import { addToToml, editToml } from '../../../src/spec/edit/toml.js';

const HASH = (digit: string): string => `sha256:${digit.repeat(64)}`;
const END = Date.parse('2027-01-01T00:00:00Z');

const SPEC = `spec = 1

[consumer.acme] # the first one
plan = "pro"
api_keys = ["${HASH('a')}", "${HASH('b')}"]

# Jenkins
[[consumer.acme.credentials]]
name = "ci"
key = "${HASH('c')}" # trailing

[[consumer.acme.credentials]]
name = "two"
key = "${HASH('d')}"
addresses = [
  "10.0.0.0/8", # the office
]

# about bolt
[consumer.bolt]
credentials = [{ name = "a", key = "${HASH('e')}" }, { name = "b", key = "${HASH('f')}" }]
tags.org = "x"

[consumer.cargo]
`;

const add = (name = 'new'): CredentialChange => ({
  do: 'add',
  credential: { name, key: HASH('0'), created: '2026-11-29' },
});
const refused = (error: unknown): boolean => error instanceof EditRefused;
const at = (index: number, list: 'credentials' | 'api_keys' = 'credentials') => ({ list, index });

/** The lines that differ, `-` before and `+` after. */
function diff(before: string, after: string): string[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return [
    ...a.slice(start, a.length - end).map((line) => `-${line}`),
    ...b.slice(start, b.length - end).map((line) => `+${line}`),
  ];
}

test('a credential goes below the last one of its consumer', () => {
  const credential = { name: 'new', key: HASH('0'), expires: END, addresses: ['::1'], created: '2026-11-29' };
  assert.equal(diff(SPEC, editToml(SPEC, 'acme', [{ do: 'add', credential }])), [
    '+[[consumer.acme.credentials]] # created 2026-11-29',
    '+name = "new"',
    `+key = "${HASH('0')}"`,
    '+expires = 2027-01-01T00:00:00Z',
    '+addresses = ["::1"]',
    '+',
  ]);
});

test('an inline list stays inline', () => {
  assert.equal(diff(SPEC, editToml(SPEC, 'bolt', [add()])), [
    `-credentials = [{ name = "a", key = "${HASH('e')}" }, { name = "b", key = "${HASH('f')}" }]`,
    `+credentials = [{ name = "a", key = "${HASH('e')}" }, { name = "b", key = "${HASH('f')}" }, { name = "new", key = "${HASH('0')}" }]`,
  ]);
});

test('the first credential of a consumer at the end of a file, and before another table', () => {
  const block = ['+[[consumer.cargo.credentials]] # created 2026-11-29', '+name = "new"', `+key = "${HASH('0')}"`, '+'];
  assert.equal(diff(SPEC, editToml(SPEC, 'cargo', [add()])), block);
  const before = `[consumer.cargo]\n[[route]]\nmatch = "GET /"\n`;
  assert.is(
    editToml(before, 'cargo', [add()]),
    `[consumer.cargo]\n\n[[consumer.cargo.credentials]] # created 2026-11-29\nname = "new"\nkey = "${HASH('0')}"\n\n[[route]]\nmatch = "GET /"\n`,
  );
});

test('a removed block takes the comment directly above it along', () => {
  assert.equal(diff(SPEC, editToml(SPEC, 'acme', [{ do: 'remove', which: at(0) }])), [
    '-# Jenkins',
    '-[[consumer.acme.credentials]]',
    '-name = "ci"',
    `-key = "${HASH('c')}" # trailing`,
    '-',
  ]);
});

test('items of lists are removed with their comma', () => {
  const edited = editToml(SPEC, 'acme', [{ do: 'remove', which: at(0, 'api_keys') }]);
  assert.match(edited, `api_keys = ["${HASH('b')}"]\n`);
  const last = editToml(SPEC, 'bolt', [{ do: 'remove', which: at(1) }]);
  assert.match(last, `credentials = [{ name = "a", key = "${HASH('e')}" }]\n`);
  const none = editToml(last, 'bolt', [{ do: 'remove', which: at(0) }]);
  assert.match(none, 'credentials = []\n');
  assert.match(editToml(none, 'bolt', [add()]), `credentials = [{ name = "new", key = "${HASH('0')}" }]\n`);
});

test('a comma at the end of a list stays valid when the last item goes', () => {
  const text = `[consumer.acme]\napi_keys = [\n  "${HASH('a')}", # one\n  "${HASH('b')}" # two\n  ,\n  "${HASH('c')}", # three\n]\n`;
  const keys = (at: readonly number[]): string =>
    editToml(
      text,
      'acme',
      at.map((index) => ({ do: 'remove', which: { list: 'api_keys', index } })),
    );
  assert.is(keys([2]), text.replace(`  "${HASH('c')}", # three\n`, ''));
  assert.is(keys([2, 1, 0]), '[consumer.acme]\napi_keys = [\n]\n');
  assert.is(keys([2, 0]), `[consumer.acme]\napi_keys = [\n  "${HASH('b')}" # two\n  ,\n]\n`);
  const inline = `[consumer.acme]\ncredentials = [{ name = "a", key = "${HASH('a')}" },]\n`;
  assert.is(editToml(inline, 'acme', [{ do: 'remove', which: at(0) }]), '[consumer.acme]\ncredentials = []\n');
});

test('values are replaced, and new ones get a line', () => {
  const change: CredentialChange = { do: 'set', which: at(0), name: 'ci-old', expires: END };
  assert.equal(diff(SPEC, editToml(SPEC, 'acme', [change])), [
    '-name = "ci"',
    `-key = "${HASH('c')}" # trailing`,
    '+name = "ci-old"',
    `+key = "${HASH('c')}" # trailing`,
    '+expires = 2027-01-01T00:00:00Z',
  ]);
  assert.match(editToml(SPEC, 'bolt', [change]), 'expires = 2027-01-01T00:00:00Z }, {');
});

test('all changes of a rotation at once', () => {
  const edited = editToml(SPEC, 'acme', [
    { do: 'set', which: at(1), name: 'two-old', expires: END },
    { do: 'remove', which: at(0) },
    add('two'),
  ]);
  const names = credentialsIn(edited, false, 'acme')?.map(({ entry }) => entry.name);
  assert.equal(names, ['key-1', 'key-2', 'two-old', 'two']);
  assert.match(edited, '"10.0.0.0/8", # the office\n]\nexpires = 2027-01-01T00:00:00Z\n');
});

test('line ends of Windows stay', () => {
  const edited = editToml(SPEC.replaceAll('\n', '\r\n'), 'acme', [add()]);
  assert.not.match(edited, /[^\r]\n/);
});

test('consumers in other forms are edited where TOML permits it, and otherwise refused', () => {
  const dotted = `[consumer]\nacme.plan = "pro"\n`;
  assert.equal(credentialsIn(editToml(dotted, 'acme', [add()]), false, 'acme')?.length, 1);
  const quoted = `["consumer"."a.b"]\nplan = "x"\n`;
  assert.match(editToml(quoted, 'a.b', [add()]), '[[consumer."a.b".credentials]]');
  const inline = `consumer.acme = { plan = "pro" }\n`;
  assert.throws(
    () => editToml(inline, 'acme', [add()]),
    (error: unknown) => error instanceof EditRefused && error.message.includes('[[consumer.acme.credentials]]'),
  );
  assert.throws(() => editToml(SPEC, 'nobody', [add()]), refused);
  assert.throws(() => editToml('[consumer.acme\n', 'acme', [add()]), refused);
});

test('a header within a string is not the consumer', () => {
  const text = `[consumer.bolt]\ntags.note = """\n[consumer.acme]\n"""\n\n[consumer.acme]\nplan = "pro"\n`;
  assert.ok(editToml(text, 'acme', [add()]).startsWith(text));
});

test('a new consumer is at the end', () => {
  const consumer = { name: 'd.x', plan: 'pro', groups: ['a', 'b'] };
  const written = `[consumer."d.x"]\nplan = "pro"\ngroups = ["a", "b"]\n\n[[consumer."d.x".credentials]]\nname = "ci"\nkey = "${HASH('0')}"\n`;
  assert.is(addToToml('', consumer, { name: 'ci', key: HASH('0') }), written);
  assert.is(addToToml(`${SPEC}\n\n`, consumer, { name: 'ci', key: HASH('0') }), `${SPEC}\n${written}`);
});

const LINES = `{"name": "acme", "api_keys": ["${HASH('a')}"]}\n\n{"name":"bolt","tags":{"like":"acme"},"credentials":[{"name":"ci","key":"${HASH('b')}"}]}\r\n`;

test('of JSON lines, only the line of the consumer changes', () => {
  const edited = editJsonLines(LINES, 'bolt', [
    { do: 'set', which: at(0), name: 'ci-old', expires: END },
    { do: 'add', credential: { name: 'ci', key: HASH('0'), addresses: ['10.0.0.0/8'] } },
  ]);
  const [first, second, third] = edited.split('\n');
  assert.equal([first, second], LINES.split('\n').slice(0, 2));
  assert.ok(third!.endsWith('}\r'));
  assert.equal(JSON.parse(third!), {
    name: 'bolt',
    tags: { like: 'acme' },
    credentials: [
      { name: 'ci-old', key: HASH('b'), expires: '2027-01-01T00:00:00Z' },
      { name: 'ci', key: HASH('0'), addresses: ['10.0.0.0/8'] },
    ],
  });
  const none = editJsonLines(LINES, 'acme', [{ do: 'remove', which: at(0, 'api_keys') }]);
  assert.match(none, '{"name":"acme"}\n');
  assert.throws(() => editJsonLines(LINES, 'like', [add()]), refused);
});

test('lines behind a byte order mark, and names with escapes, are edited too', () => {
  const text = `\uFEFF{"name":"acme","api_keys":["${HASH('a')}"]}\r\n{"name":"\\u0062olt","tags":{"n":"\\n"},"api_keys":["${HASH('b')}"]}\n`;
  for (const name of ['acme', 'bolt']) {
    assert.is(credentialsIn(text, true, name)?.length, 1);
    const edited = editJsonLines(text, name, [{ do: 'remove', which: at(0, 'api_keys') }]);
    assert.ok(edited.startsWith('\uFEFF{"name":"acme"'));
    assert.equal(credentialsIn(edited, true, name), []);
  }
});

test('a new consumer is a line at the end, also after one without a line end', () => {
  const written = `{"name":"cargo","plan":"pro","credentials":[{"name":"ci","key":"${HASH('0')}"}]}\n`;
  const credential = { name: 'ci', key: HASH('0') };
  assert.is(addToJsonLines('', { name: 'cargo', plan: 'pro' }, credential), written);
  assert.is(addToJsonLines('{"name":"x"}', { name: 'cargo', plan: 'pro' }, credential), `{"name":"x"}\n${written}`);
});

test.run();
