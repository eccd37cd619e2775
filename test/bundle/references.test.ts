import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { listReferences, resolveReferences } from '../../src/bundle/references.js';
import type { Reference } from '../../src/reference-syntax.js';

const lookup = ({ kind, name }: Reference): string => `<${kind} ${name}>`;

test('references are replaced at any depth, and other values stay', () => {
  const value = {
    a: { $ref: '${env:TOKEN}' },
    list: [1, null, { $ref: 'Bearer ${env:A}-${file:secrets/b.txt}' }, { $ref: 5 }, { $ref: 'x', more: 1 }],
    plain: '${env:NOT_HERE}',
  };
  const before = structuredClone(value);
  const resolved: unknown = resolveReferences<unknown>(value, lookup);
  assert.equal(resolved, {
    a: '<env TOKEN>',
    list: [1, null, 'Bearer <env A>-<file secrets/b.txt>', { $ref: 5 }, { $ref: 'x', more: 1 }],
    plain: '${env:NOT_HERE}',
  });
  assert.equal(value, before, 'the input is left alone');
});

test('parts without a reference are the same objects', () => {
  const value = { plain: { list: [1, { a: 'b' }] }, changed: [{ $ref: '${env:A}' }, { kept: true }] };
  const resolved = resolveReferences(value, () => 'x');
  assert.is(resolved.plain, value.plain);
  assert.equal(resolved.changed, ['x', { kept: true }] as never);
  assert.is(resolved.changed[1], value.changed[1]);
  assert.is(
    resolveReferences(value.plain, () => 'x'),
    value.plain,
  );
});

test('the value of a reference is not searched for references', () => {
  assert.is(
    resolveReferences<unknown>({ $ref: '${env:A}$&' }, () => '${env:B}$1'),
    '${env:B}$1$&',
  );
});

test('errors of resolve pass through', () => {
  assert.throws(
    () =>
      resolveReferences({ a: { $ref: '${env:NONE}' } }, ({ name }) => {
        throw new Error(`no ${name}`);
      }),
    'no NONE',
  );
});

test('a key named __proto__ stays data', () => {
  const hostile: unknown = JSON.parse('{"__proto__":{"polluted":true}}');
  const copy = resolveReferences(hostile, lookup) as Record<string, unknown>;
  assert.is(Object.getPrototypeOf(copy), Object.prototype);
  assert.is(JSON.stringify(copy), '{"__proto__":{"polluted":true}}');
});

test('references are listed once each, in order', () => {
  const value = [{ $ref: '${env:B}${env:A}' }, { x: { $ref: '${file:f}${env:B}' } }];
  assert.equal(listReferences(value), [
    { kind: 'env', name: 'B', fallback: undefined, text: '${env:B}' },
    { kind: 'env', name: 'A', fallback: undefined, text: '${env:A}' },
    { kind: 'file', name: 'f', fallback: undefined, text: '${file:f}' },
  ]);
});

test.run();
