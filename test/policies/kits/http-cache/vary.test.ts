/** Variants, RFC 9111 section 4.1. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { knowsCodings, matchesVariant, parseVary, variantKey } from '../../../../src/policies/kits/http-cache/vary.js';
import { seededBelow } from '../../../support/random.js';
import { fields } from './kit.js';

const same = (name: string, a: string | undefined, b: string | undefined): boolean => {
  const key = (value: string | undefined) => variantKey([name], fields(value === undefined ? {} : { [name]: value }));
  return key(a) === key(b);
};

test('RFC 9110, 12.5.5: names have no case and no order', () => {
  assert.equal(parseVary('Foo, bar,, FOO ,'), ['bar', 'foo']);
  assert.equal(parseVary(undefined), []);
  assert.equal(parseVary(' '), []);
  for (const field of ['*', 'a, *', 'a b', 'a;b', Array.from({ length: 17 }, (_, i) => `a${i}`).join()])
    assert.is(parseVary(field), 'any', field);
});

test('RFC 9111, 4.1: an absent field matches only an absent one', () => {
  assert.ok(same('foo', undefined, undefined));
  assert.not.ok(same('foo', undefined, ''));
  assert.not.ok(same('foo', '1', undefined));
  const key = variantKey(['bar', 'foo'], fields({ foo: '1', other: '2' }));
  assert.ok(matchesVariant(['bar', 'foo'], key, fields({ foo: '1', other: '3' })));
  assert.not.ok(matchesVariant(['bar', 'foo'], key, fields({ bar: '1', other: '3' })));
  assert.not.ok(matchesVariant(['bar', 'foo'], key, fields({ foo: '1', bar: '' })));
});

test('RFC 9111, 4.1: white space in lists does not count, their order and case do', () => {
  assert.ok(same('foo', '1,2', ' 1 ,\t2 '));
  assert.not.ok(same('foo', '1, 2', '2, 1'));
  assert.not.ok(same('foo', 'a', 'A'));
  assert.not.ok(same('foo', '"a, b"', '"a,b"'));
  assert.not.ok(same('foo', '1 2', '12'));
  assert.not.ok(same('cookie', 'a=1,2', 'a=1, 2'));
  assert.ok(same('accept-language', 'DE, en', 'de,en'));
  assert.not.ok(same('accept-language', 'de, en', 'en, de'));
});

test('Accept-Encoding: the known codings that are accepted, in any order and with any weight', () => {
  assert.ok(same('accept-encoding', 'gzip, br;q=0.5, deflate', 'Deflate,BR , x-gzip;q=1.0'));
  assert.ok(same('accept-encoding', 'gzip, mine', 'gzip'));
  assert.not.ok(same('accept-encoding', 'gzip, br', 'gzip'));
  assert.not.ok(same('accept-encoding', 'gzip, br', 'gzip, br;q=0'));
  assert.not.ok(same('accept-encoding', '*', '*, gzip;q=0.000'));
  assert.not.ok(same('accept-encoding', 'identity;q=0', ''));
  assert.not.ok(same('accept-encoding', '', undefined));
  assert.not.ok(same('accept-encoding', 'gzip;q=2', 'gzip'), 'a malformed value counts as it is');
  for (const name of ['constructor', '__proto__', 'toString']) {
    assert.not(knowsCodings(name), name);
    assert.ok(same('accept-encoding', `gzip, ${name}`, 'gzip'), name);
  }
  assert.ok(knowsCodings('gzip, BR') && knowsCodings(undefined) && !knowsCodings('mine') && !knowsCodings('*'));
});

test('law: keys are equal if and only if the normalised values are, whatever the values', () => {
  const next = seededBelow(5);
  const alphabet = 'ab,"\\ \t:\xff';
  const value = () =>
    next(8) === 0 ? undefined : Array.from({ length: next(6) }, () => alphabet[next(alphabet.length)]).join('');
  const request = (foo: string | undefined, bar: string | undefined) =>
    fields({ ...(foo === undefined ? {} : { foo }), ...(bar === undefined ? {} : { bar }) });
  for (let run = 0; run < 5000; run++) {
    const [a, b, c, d] = [value(), value(), value(), value()];
    const both = variantKey(['bar', 'foo'], request(a, b)) === variantKey(['bar', 'foo'], request(c, d));
    assert.is(both, same('foo', a, c) && same('bar', b, d), JSON.stringify([a, b, c, d]));
    if (a !== undefined) assert.ok(same('foo', a, ` ${a}\t`) || a.includes('\\') || a.includes('"'), JSON.stringify(a));
  }
});

test('law: a key takes time proportional to the length', () => {
  const begin = performance.now();
  for (const part of [', ', ' ', '"', '\\', ' ,\t', 'a;q=0.1,', 'a ; ', 'q='])
    for (const name of ['foo', 'accept-encoding', 'accept-language', 'cookie'])
      variantKey([name], fields({ [name]: part.repeat(100_000) }));
  for (const part of [', ', ' ', '"', '*,']) parseVary(part.repeat(200_000));
  assert.ok(performance.now() - begin < 3000);
});

test.run();
