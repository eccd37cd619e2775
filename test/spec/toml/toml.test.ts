import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import toml from 'toml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TableNode, TomlNode } from '../../../src/schema/tree.js';
import { Source } from '../../../src/spec/source.js';
import { valueOffsets } from '../../../src/spec/string-offsets.js';
import { shadowFromScan } from '../../../src/spec/toml/scan.js';
import { type Shadow, shadowFromLines, shadowFromSyntax } from '../../../src/spec/toml/shadow.js';
import { MAX_DEPTH, parseToml } from '../../../src/spec/toml/toml.js';
import { Random } from '../../schema/random.js';

function parse(text: string): { tree: TableNode | undefined; source: Source; codes: string[]; messages: string[] } {
  const source = new Source('a.toml', '/a.toml', text);
  const { value, diagnostics } = parseToml(source, 'spec');
  return {
    tree: value,
    source,
    codes: diagnostics.map(({ code }) => code),
    messages: diagnostics.map(({ message }) => message),
  };
}

/** The tree as `toml.parse` would give it, dates as text. */
function plain(node: TomlNode): unknown {
  if (node.kind === 'table') {
    const table: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const entry of node.entries.values()) table[entry.key] = plain(entry.value);
    return table;
  }
  return node.kind === 'array' ? node.items.map(plain) : node.value;
}

function at(tree: TableNode | undefined, ...path: (string | number)[]): TomlNode {
  let node: TomlNode = tree!;
  for (const step of path) {
    if (node.kind === 'table') node = node.entries.get(String(step))!.value;
    else if (node.kind === 'array') node = node.items[Number(step)]!;
  }
  return node;
}

const EXAMPLE = `# a comment
a = 1
b = "x\\u00e9\\n"
[c.d]
e.f = [1, 2.5, { g = true }]
[[h]]
i = 'lit'
[[h]]
[h.j]
k = """
multi
line"""
[c]
l = 0x1F
`;

test('values are those of toml', () => {
  assert.equal(plain(parse(EXAMPLE).tree!), toml.parse(EXAMPLE));
});

test('spans point at values, keys and headers', () => {
  const { tree, source } = parse(EXAMPLE);
  const text = (node: { start: { offset: number }; end: { offset: number } }): string =>
    source.text.slice(node.start.offset, node.end.offset);
  assert.is(text(at(tree, 'a').span), '1');
  assert.is(text(at(tree, 'b').span), '"x\\u00e9\\n"');
  assert.is(text(at(tree, 'c', 'd', 'e', 'f').span), '[1, 2.5, { g = true }]');
  assert.is(text(at(tree, 'c', 'd', 'e', 'f', 2, 'g').span), 'true');
  assert.is(text(at(tree, 'h', 0).span), "[[h]]\ni = 'lit'");
  assert.is(text(at(tree, 'h', 1, 'j', 'k').span), '"""\nmulti\nline"""');
  const headed = at(tree, 'h', 0);
  assert.is(headed.kind === 'table' && headed.headSpan ? text(headed.headSpan) : '', '[[h]]');
  const entry = tree?.entries.get('h');
  assert.equal(entry?.keySpans?.map(text), ['h', 'h', 'h']);
  const inner = at(tree, 'c');
  assert.is(inner.kind === 'table' ? text(inner.entries.get('d')!.keySpan) : '', 'd');
  assert.equal(at(tree, 'a').span.start, { offset: 16, line: 2, column: 5 });
});

test('integers, floats, dates and strings are distinguished', () => {
  const { tree } = parse(
    'a = 1\nb = 1.0\nc = 1979-05-27\nd = "1979-05-27"\ne = 9223372036854775807\nf = 1979-05-27T07:32:00Z\ng = 07:32:00\n',
  );
  const kinds = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((key) => at(tree, key).kind);
  assert.equal(kinds, ['integer', 'float', 'datetime', 'string', 'integer', 'datetime', 'datetime']);
  const big = at(tree, 'e');
  assert.is(big.kind === 'integer' ? big.value : 0, 9223372036854775807n);
  const date = at(tree, 'f');
  assert.is(date.kind === 'datetime' ? date.value : '', '1979-05-27T07:32:00Z');
});

test('offsets are right with a byte order mark and CRLF', () => {
  const { tree, source } = parse('\ufeffa = 1\r\n[b]\r\nc = "x"\r\n');
  const { span } = at(tree, 'b', 'c');
  assert.equal(span.start, { offset: 17, line: 3, column: 5 });
  assert.is(source.text.slice(span.start.offset, span.end.offset), '"x"');
  assert.is(source.lineSpan(8).end.offset, 11);
});

function randomValue(random: Random, depth: number): string {
  const inner = (): string => randomValue(random, depth - 1);
  switch (random.below(depth > 0 ? 9 : 6)) {
    case 0:
      return String(random.below(1000) - 500);
    case 1:
      return `${random.below(100)}.5`;
    case 2:
      return random.pick(['true', 'false', 'inf', '1979-05-27', '0x1f', '1_000']);
    case 3:
      return JSON.stringify(random.pick(['', 'é😀', 'a\tb"\\', '/x/{id}', '\n']));
    case 4:
      return random.pick(["'lit\\eral'", "'''multi\nline'''", '"""a\\\n   b"""', '"\\x41\\U0001F600"']);
    case 5:
      return '"x"';
    case 6:
      return `[${Array.from({ length: random.below(4) }, inner).join(random.pick([', ', ',\n  ']))}]`;
    default:
      return `{ ${Array.from({ length: random.below(4) }, (_, index) => `k${index} = ${inner()}`).join(', ')} }`;
  }
}

function randomDocument(random: Random): string {
  let text = '';
  for (let line = 0; line < 4; line++) text += `top${line} = ${randomValue(random, 3)}\n`;
  for (let table = 0; table < 5; table++) {
    const name = random.pick([`t${table}`, `t${table}.sub`, `"quoted ${table}"`]);
    text += random.below(2) ? `[[list]]\n` : `[${name}]\n`;
    for (let line = 0; line < random.below(4); line++) {
      text += `${random.pick([`a${line}`, `b.c${line}`, `"k ${line}"`])} = ${randomValue(random, 2)}${random.pick(['', ' # note'])}\n`;
    }
  }
  return text;
}

const temporal = {
  from: (text: string): string => text.replace(/\[[^\]]*\]$/, ''),
};
const kinds = { ZonedDateTime: temporal, PlainDateTime: temporal, PlainDate: temporal, PlainTime: temporal };

test('for random documents the tree equals the values of toml, and every span is within its parent', () => {
  const random = new Random(5);
  for (let round = 0; round < 300; round++) {
    const text = randomDocument(random);
    const { tree, source, messages } = parse(text);
    assert.ok(tree, `${messages.join()}\n${text}`);
    assert.equal(plain(tree!), toml.parse(text, { useTemporal: true, temporal: kinds }), text);
    const visit = (node: TomlNode): void => {
      if (node.kind === 'string') {
        const raw = source.text.slice(node.span.start.offset, node.span.end.offset);
        assert.match(raw, /^["'](.|\s)*["']$/, `${raw} in ${text}`);
        const offsets = valueOffsets(raw, node.value);
        assert.ok(offsets, `${raw} spells ${JSON.stringify(node.value)}`);
      }
      if (node.kind === 'array') node.items.forEach(visit);
      if (node.kind === 'table') for (const entry of node.entries.values()) visit(entry.value);
    };
    visit(tree!);
  }
});

/** A shadow as JSON has it, entries by name. */
const shown = ({ kind, range, head, keys, entries, items }: Shadow): unknown => ({
  kind,
  range,
  head,
  keys,
  entries: [...entries].map(([name, entry]) => [name, shown(entry)]),
  items: items.map(shown),
});

const SPELLINGS = [
  '',
  '\ufeffa = 1',
  '# only a comment',
  'a = 1 # c\r\n[b] # d\r\nc = "x" # "e"\r\n',
  '"a b" = 1\n\'c d\'.e."f.g" = 2\n"\\u00e9\\t\\"" = 3\n',
  'a . b = 1\n[ c . d ]\ne = 1\n[[ f . g ]]\n[f.g.h]\ni = 1\n[[f.g]]\n[[f.g.h]]\nx = 1\n',
  '[a.b]\nx = 1\n[a]\ny = 2\n[a.c]\n',
  'a = [ 1, # one\n  [2, 3 , ], "]", # ]\n  \'}\', ]\n',
  'a = {}\nb = { c = { d.e = 1 , f = [ { g = 2 } ] } , "h" = 3 }\n',
  'a = { b = 1, # x\n c = 2,\n }\n',
  'a = 1979-05-27 07:32:00Z\nb = [ 07:32:00 , 1979-05-27 ]\nc = -1_000 \nd = +inf\ne = 0xFF',
  'a = """\n x \\\n  y "" \\""" z"""""\nb = 1\n',
  "a = '''x '' y''''\nb = '''\n'''\nc = ''\nd = \"\"\n",
  'a = "\\\\"\nb = "\\\\\\""\nc = "a\\"b"\n',
  '[[a]]\nb.c = 1\nb.d = 2\n[[a]]\nb = 3\n[a.e]\n[a.e.f]\n',
];

test('the scanner agrees with the syntax tree', () => {
  const agree = (text: string): void => {
    toml.parse(text);
    assert.equal(shown(shadowFromScan(text)), shown(shadowFromSyntax(text)), text);
  };
  for (const text of [EXAMPLE, ...SPELLINGS]) agree(text);
  const folders = ['fixtures/diagnostics', 'templates', '.'].map((folder) => join(process.cwd(), folder));
  let specs = 0;
  for (const folder of folders) {
    for (const name of readdirSync(folder, { recursive: folder !== process.cwd(), encoding: 'utf8' })) {
      if (!name.endsWith('.toml')) continue;
      const source = new Source(name, name, readFileSync(join(folder, name), 'utf8'));
      if (source.text.includes('\0') || parseToml(source, 'spec').value === undefined) continue;
      agree(source.text);
      specs++;
    }
  }
  assert.ok(specs > 80, String(specs));
});

test('the scanner and the syntax tree agree on random documents', () => {
  const random = new Random(77);
  const names = ['a', 'b', '"c d"', "'e.f'", '"\\u0067"', 'h-i'];
  const key = (): string =>
    Array.from({ length: 1 + random.below(3) }, () => random.pick(names)).join(random.pick(['.', ' . ']));
  const blank = (): string => random.pick(['', ' ', '\n', ' # x ]}"\n', '\r\n\t']);
  const value = (depth: number): string => {
    const kind = random.below(depth > 3 ? 6 : 8);
    if (kind === 6)
      return `[${Array.from({ length: random.below(4) }, () => `${blank()}${value(depth + 1)}${blank()}`).join(',')}]`;
    if (kind === 7)
      return `{ ${Array.from({ length: random.below(3) }, (_, index) => `k${index} = ${value(depth + 1)}`).join(' , ')} }`;
    return random.pick([
      '1',
      '"x\\"]"',
      "'{ # '",
      '"""a\n"" b""""',
      "'''\n'c'''",
      '1979-05-27 07:32:00',
      'true',
      '1e5',
      '""',
    ]);
  };
  let compared = 0;
  for (let round = 0; round < 3000; round++) {
    const lines = Array.from({ length: 1 + random.below(8) }, () =>
      random.pick([`[${key()}]`, `[[${key()}]]`, `${key()} = ${value(0)}`, `\t${key()}=${value(0)} # c`, '', '# [x]']),
    );
    const text = `${lines.join(random.pick(['\n', '\r\n']))}\n`;
    let expected: Shadow;
    try {
      toml.parse(text);
      expected = shadowFromSyntax(text);
    } catch {
      continue; // One of the two refuses it: keys set twice, mostly.
    }
    assert.equal(shown(shadowFromScan(text)), shown(expected), text);
    compared++;
  }
  assert.ok(compared > 500, String(compared));
});

test('offsets in a value map to the source', () => {
  for (const [raw, value, needle] of [
    ['"abc"', 'abc', 'c'],
    ["'a\\c'", 'a\\c', 'c'],
    ['"\\u0041bc"', 'Abc', 'c'],
    ['"\\U0001F600c"', '😀c', 'c'],
    ['"""\r\na\\\r\n   c"""', 'ac', 'c'],
    ["'''\nac'''", 'ac', 'c'],
  ] as const) {
    const offsets = valueOffsets(raw, value);
    assert.is(raw[offsets?.(value.indexOf(needle)) ?? -1], needle, raw);
    assert.is(offsets?.(value.length), raw.length - (raw.startsWith('"""') || raw.startsWith("'''") ? 3 : 1), raw);
  }
  assert.is(valueOffsets('GET /x', 'GET /x'), undefined);
  assert.is(valueOffsets('"a"', 'other'), undefined);
  assert.is(valueOffsets('"', ''), undefined);
});

test('syntax errors have a message and a place', () => {
  const cases: readonly (readonly [string, string, number, number, RegExp])[] = [
    ['a = "x\nb = 1', 'toml/syntax', 1, 7, /Unclosed string/],
    ['a =\n', 'toml/syntax', 1, 3, /Missing value/],
    ['a = tru\n', 'toml/syntax', 1, 5, /unexpected `t`/],
    ["a = 'x' b = 1", 'toml/syntax', 1, 9, /end of the line/],
    ['a b = 1', 'toml/syntax', 1, 3, /Expected `=`/],
    ['= 1', 'toml/syntax', 1, 1, /Expected a key/],
    ['a = 01', 'toml/syntax', 1, 5, /begin with a zero/],
    ['a = "\\q"', 'toml/syntax', 1, 7, /unknown escape/],
    ['a = [1 2]', 'toml/syntax', 1, 8, /TOML|comma/],
    ['a = 1\na = 2', 'toml/duplicate-key', 2, 1, /`a` is defined twice/],
    ['[a]\nb = 1\n[a]\n', 'toml/duplicate-key', 3, 1, /`a` is defined twice/],
    ['a = { b = 1 }\n[a.c]\n', 'toml/duplicate-key', 2, 1, /`a/],
  ];
  for (const [text, code, line, column, message] of cases) {
    const source = new Source('a.toml', '/a.toml', text);
    const [found] = parseToml(source, 'spec').diagnostics;
    assert.is(found?.code, code, text);
    assert.is(found?.span.start.line, line, `${text}: ${found?.message}`);
    if (code === 'toml/syntax')
      assert.ok(Math.abs((found?.span.start.column ?? 0) - column) <= 1, `${text}: ${found?.span.start.column}`);
    assert.match(found?.message ?? '', message, text);
  }
});

test('a key defined twice shows the first definition', () => {
  const source = new Source('a.toml', '/a.toml', 'x = 1\n[a]\nb = 1\nb = 2\n');
  const [found] = parseToml(source, 'spec').diagnostics;
  assert.is(found?.related?.[0]?.span.start.line, 3);
  assert.is(found?.span.start.line, 4);
});

test('nesting is bounded in every notation, without stack overflow', () => {
  for (const text of [
    `a = ${'['.repeat(200_000)}`,
    `a = ${'['.repeat(MAX_DEPTH + 10)}${']'.repeat(MAX_DEPTH + 10)}`,
    `${'a.'.repeat(20_000)}a = 1`,
    `[${'a.'.repeat(20_000)}a]`,
    `x = ${'{ a = '.repeat(20_000)}`,
  ]) {
    const { codes, tree } = parse(text);
    assert.equal(codes, ['toml/too-deep'], text.slice(0, 20));
    assert.is(tree, undefined);
  }
  assert.equal(parse(`a = ${'['.repeat(40)}${']'.repeat(40)}`).codes, []);
});

test('text that only toml accepts has spans by lines', () => {
  const text = 'a = 1\n[b.c]\nd.e = 2\n[[f]]\ng = 3\n[[f]]\n';
  const shadow = shadowFromLines(text);
  const line = (range: readonly [number, number] | undefined): string => (range ? text.slice(...range) : '');
  assert.is(line(shadow.entries.get('a')?.range), 'a = 1');
  assert.is(line(shadow.entries.get('b')?.entries.get('c')?.entries.get('d')?.entries.get('e')?.range), 'd.e = 2');
  assert.is(shadow.entries.get('f')?.items.length, 2);
  assert.is(line(shadow.entries.get('f')?.items[0]?.entries.get('g')?.range), 'g = 3');
  assert.is(line(shadow.entries.get('f')?.items[0]?.head), '[[f]]');
});

test('a string too long for the syntax tree has its value, and its line as span', () => {
  const { tree, codes } = parse(`a = "${'x'.repeat(2_500_000)}"\nb = 2\n`);
  assert.equal(codes, []);
  assert.is(at(tree, 'b').span.start.line, 2);
});

test.run();
