import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Outcome } from '../../../src/schema/diagnostic.js';
import type { From, TableNode } from '../../../src/schema/tree.js';
import { Source } from '../../../src/spec/source.js';
import { parseToml } from '../../../src/spec/toml/toml.js';
import { TreeCache } from '../../../src/spec/toml/tree-cache.js';
import { Random } from '../../schema/random.js';

const sourceOf = (text: string): Source => new Source('a.toml', '/a.toml', text);

/** All of a tree as text: keys in their order, values, and every span. */
const shown = ({ value, diagnostics }: Outcome<TableNode>): string =>
  JSON.stringify({ value, diagnostics }, (_, item: unknown) => {
    if (item instanceof Map) return [...item];
    if (typeof item === 'bigint') return `${item}n`;
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });

function assertSame(cache: TreeCache, text: string, from: From): Outcome<TableNode> {
  const outcome = cache.parse(sourceOf(text), from);
  assert.ok(shown(outcome) === shown(parseToml(sourceOf(text), from)), JSON.stringify(text));
  cache.endBuild(true);
  return outcome;
}

/** Lines that a cut may get wrong, and entities of two kinds. */
const LINES = [
  '[a.x]',
  '[a.y]',
  '[a.y.sub]',
  '[[a.list]]',
  '  [a.x]',
  '  [b.inner]',
  '[b.1]',
  '[b.0]',
  '[b.z]',
  '[b.__proto__]',
  '[ b . z ]',
  '[b."q r"]',
  '[a]',
  'a.k = 1',
  'b = { c = 1 }',
  '[[r]]',
  '[r.s]',
  'k = 1',
  'm.n = 2',
  'm.o = [1, 2]',
  's = """',
  '"""',
  "t = '''",
  "'''",
  'l = [',
  '[1, 2],',
  ']',
  'in = { a = 1, b = [1, { c = 2 }] }',
  '# a comment',
  '# a line separator \u2028[a.x]',
  'date = 1979-05-27',
  '',
  'broken =',
];

function randomText(random: Random): string {
  const lines = Array.from({ length: random.below(14) }, () => random.pick(LINES));
  const end = random.pick(['\n', '\n', '\n', '\r\n']);
  return `${random.below(12) === 0 ? '\ufeff' : ''}${lines.join(end)}${random.below(4) === 0 ? '' : end}`;
}

/** Valid texts: every entity with some keys, in a random order. */
function validText(random: Random, names: readonly string[]): string {
  const keys = (): string =>
    random.pick([
      '',
      'k = 1\n',
      's = """\n[a.x]\n"""\n',
      'm.n = "é"\n',
      '# note\n',
      'l = [\n[1],\n[2]\n]\n',
      'd = 07:32:00\n',
    ]);
  const entities = names.map((name) => `${random.pick(['', '\n', '# before\n'])}[${name}]\n${keys()}`);
  for (let at = entities.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [entities[at], entities[other]] = [entities[other]!, entities[at]!];
  }
  return `${random.pick(['', 'top = 1\n', 'top.a = 1\n', '\ufeff'])}${entities.join('')}`;
}

test('a cached tree is the tree of the whole text, over random edits of texts that a cut may get wrong', () => {
  const random = new Random(11);
  let valid = 0;
  for (let round = 0; round < 100; round++) {
    const cache = new TreeCache({ cutFrom: 0 });
    let lines = randomText(random);
    for (let edit = 0; edit < 8; edit++) {
      if (assertSame(cache, lines, 'spec').value) valid++;
      lines = random.below(3) === 0 ? randomText(random) : edited(random, lines);
    }
  }
  assert.ok(valid > 100, `${valid} valid texts`);
});

function edited(random: Random, text: string): string {
  const lines = text.split('\n');
  lines.splice(random.below(lines.length + 1), random.below(3), ...(random.below(2) ? [random.pick(LINES)] : []));
  return lines.join('\n');
}

test('a cached tree is the tree of the whole text, over random valid texts with many entities', () => {
  const random = new Random(12);
  const cache = new TreeCache({ cutFrom: 0 });
  const all = [
    'a.x',
    'a.y',
    'a.y-1',
    'b.1',
    'b.0',
    'b.__proto__',
    'c.e.f',
    'c.g',
    'd.h',
    'r',
    'long-kind.long-name-of-it',
  ];
  for (let round = 0; round < 200; round++) {
    const text = validText(
      random,
      all.filter(() => random.below(4) > 0),
    );
    assert.ok(assertSame(cache, text, 'overlay').value, text);
  }
});

test('headers within values cut nothing', () => {
  const values = ['s = """\n[a.x]\nk = 1\n[q]\n"""\n', "s = '''\n[a.x]\n[q]\n'''\n", 'l = [\n[1.5],\n[2.5],\n]\n'];
  for (const value of values) {
    for (const text of [`[p]\n${value}`, `[b.y]\n${value}[a.x]\n`, `[p]\n${value}[a.z]\n[[p2]]\n`]) {
      assert.ok(assertSame(new TreeCache({ cutFrom: 0 }), text, 'spec').value, text);
    }
  }
});

const entityIn = (tree: TableNode | undefined, kind: string, name: string): unknown => {
  const table = tree?.entries.get(kind)?.value;
  return table?.kind === 'table' ? table.entries.get(name)?.value : undefined;
};

test('an edit of one entity keeps the nodes of the others that do not move', () => {
  const cache = new TreeCache({ cutFrom: 0 });
  const text = '[a.one]\nk = 1\n[a.two]\nk = 2\n[a.three]\nk = 3\n';
  const before = cache.parse(sourceOf(text), 'spec').value;
  const after = cache.parse(sourceOf(text.replace('k = 2', 'k = 5')), 'spec').value;
  assert.is(entityIn(after, 'a', 'one'), entityIn(before, 'a', 'one'));
  assert.is(entityIn(after, 'a', 'three'), entityIn(before, 'a', 'three'));
  assert.is.not(entityIn(after, 'a', 'two'), entityIn(before, 'a', 'two'));
});

test('the same text gives the same tree, and files that a build does not read are forgotten', () => {
  const cache = new TreeCache({ cutFrom: 1e9, mostKept: 100 });
  const parse = (path: string, text: string): unknown => cache.parse(new Source(path, `/${path}`, text), 'spec').value;
  const [one, two] = [parse('a', 'x = 1'), parse('b', 'x = 1')];
  cache.endBuild(true);
  assert.is(parse('a', 'x = 1'), one);
  assert.is.not(one, two);
  cache.endBuild(false);
  assert.is(cache.size, 2);
  assert.is.not(parse('a', 'x = 2'), one);
  cache.endBuild(true);
  assert.is(cache.size, 1);
  parse('c', `x = "${'y'.repeat(200)}"`);
  assert.is(cache.size, 1, 'a text over the bound is not kept');
});

test.run();
