import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseTemplate, TEMPLATE_VARIABLES, unknownVariable, withReferences } from '../../src/schema/template.js';

test('splits into literals and variables', () => {
  assert.equal(parseTemplate('/v2/{id}/{consumer.name}!'), {
    references: new Set(),
    parts: ['/v2/', { var: 'param.id' }, '/', { var: 'consumer.name' }, '!'],
    variables: [
      { name: 'param.id', offset: 4 },
      { name: 'consumer.name', offset: 9 },
    ],
  });
  assert.equal(parseTemplate(''), { parts: [], references: new Set(), variables: [] });
  assert.equal(parseTemplate('a{{b}}'), { parts: ['a{b}'], references: new Set(), variables: [] });
});

test('header names are lower case, other names stay', () => {
  assert.equal(parseTemplate('{request.header.X-Foo}{consumer.tags.Team}'), {
    references: new Set(),
    parts: [{ var: 'request.header.x-foo' }, { var: 'consumer.tags.Team' }],
    variables: [
      { name: 'request.header.x-foo', offset: 0 },
      { name: 'consumer.tags.Team', offset: 22 },
    ],
  });
});

test('a reference is one literal part, and is marked for the bundle', () => {
  const parsed = parseTemplate('Bearer ${env:TOKEN} {id}');
  assert.ok('parts' in parsed);
  if (!('parts' in parsed)) return;
  assert.equal(parsed.parts, ['Bearer ', '${env:TOKEN}', ' ', { var: 'param.id' }]);
  assert.equal(withReferences(parsed), ['Bearer ', { $ref: '${env:TOKEN}' }, ' ', { var: 'param.id' }]);
  assert.equal(parseTemplate('${id}'), {
    references: new Set(),
    parts: ['$', { var: 'param.id' }],
    variables: [{ name: 'param.id', offset: 1 }],
  });
});

test('an escaped reference at the start of a literal part is not a reference', () => {
  for (const [text, parts] of [
    ['${{env:HOME}}', ['${env:HOME}']],
    ['$${{env:HOME}} {id}', ['${env:HOME} ', { var: 'param.id' }]],
    ['{id}${{file:/etc/passwd}}', [{ var: 'param.id' }, '${file:/etc/passwd}']],
    ['${env:A}${{env:B}}', [{ $ref: '${env:A}' }, '${env:B}']],
  ] as const) {
    const parsed = parseTemplate(text);
    assert.ok('parts' in parsed, text);
    if ('parts' in parsed) assert.equal(withReferences(parsed), parts, text);
  }
});

test('unmatched braces are located', () => {
  for (const [text, offset, message] of [
    ['ab}', 2, /Unmatched `}`/],
    ['a{b', 1, /Unmatched `\{`/],
    ['x{a b}', 1, /not a valid variable/],
    ['{}', 0, /not a valid variable/],
    ['{a..b}', 0, /not a valid variable/],
  ] as const) {
    const parsed = parseTemplate(text);
    assert.ok('error' in parsed, text);
    if (!('error' in parsed)) continue;
    assert.is(parsed.offset, offset, text);
    assert.match(parsed.error, message, text);
  }
});

test('every documented variable is known where documented', () => {
  for (const { name, reply } of TEMPLATE_VARIABLES) {
    const full = name.replace('NAME', 'x');
    assert.is(unknownVariable(full, new Set(['x']), true), undefined, name);
    const before = unknownVariable(full, new Set(['x']), false);
    if (reply) assert.match(before ?? '', /only on replies/, name);
    else assert.is(before, undefined, name);
  }
});

test('unknown variables come with a suggestion', () => {
  for (const [name, message] of [
    ['param.idd', 'did you mean `{id}`?'],
    ['param.consumer', 'did you mean `{consumer.name}`?'],
    ['param.zzz', 'only `id`'],
    ['consumer.nam', 'did you mean `{consumer.name}`?'],
    ['request.headr.x', 'did you mean `{request.header.x}`?'],
    ['foo.bar.baz', 'Unknown variable `{foo.bar.baz}`.'],
    ['request.header.', 'Unknown variable'],
  ] as const) {
    const found = unknownVariable(name, new Set(['id']), false) ?? '';
    assert.ok(found.includes(message), `${name}: ${found}`);
  }
  assert.match(unknownVariable('param.zzz', new Set(), false) ?? '', /it has no parameters/);
});

test.run();
