import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cookieValues, withoutCookie } from '../../../src/policies/kits/cookies.js';

test('the values of a cookie, in order, without quotes', () => {
  assert.equal(cookieValues('a=1; b="2"; a = 3 ;c', 'a'), ['1', '3']);
  assert.equal(cookieValues('a=1; b="2"', 'b'), ['2']);
  assert.equal(cookieValues('a=x=y', 'a'), ['x=y']);
  assert.equal(cookieValues('A=1; aa=2', 'a'), []);
  assert.equal(cookieValues(undefined, 'a'), []);
});

test('a field without a cookie keeps the others', () => {
  assert.is(withoutCookie('a=1; b=2;a=3', 'a'), 'b=2');
  assert.is(withoutCookie('a=1', 'a'), '');
  assert.is(withoutCookie('b=2;c=3', 'a'), 'b=2; c=3');
});

test.run();
