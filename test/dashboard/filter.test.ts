import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Fields, matches, parseFilter } from '../../src/dashboard/filter.js';

const row: Fields = {
  text: ['GET', 'localhost:8080/Orders/7', 'req-9'],
  status: '429',
  route: 'get-order',
  method: 'GET',
};
const passes = (filter: string): boolean => matches(parseFilter(filter), row);

test('all words must match, case-insensitively', () => {
  assert.ok(passes(''));
  assert.ok(passes('orders'));
  assert.ok(passes('ORDERS get'));
  assert.not(passes('orders users'));
});

test('filters support fields, alternatives and negation', () => {
  assert.ok(passes('route:order'));
  assert.not(passes('route:user'));
  assert.ok(passes('route:user|order'));
  assert.not(passes('!route:order'));
  assert.ok(passes('!users'));
});

test('status filters match a number, a class or a prefix', () => {
  assert.ok(passes('status:429'));
  assert.ok(passes('4xx'));
  assert.ok(passes('status:42x'));
  assert.ok(passes('status:5xx|4xx'));
  assert.not(passes('5xx'));
  assert.ok(passes('!5xx'));
  assert.not(passes('status:29'));
});

test('an incomplete term matches every row', () => {
  for (const filter of ['status:', '!', '!route:', '|', ' ']) assert.ok(passes(filter), filter);
});

test('a word with a colon and no known field is plain text', () => {
  assert.ok(passes('localhost:8080'));
  assert.not(passes('localhost:9090'));
  assert.ok(matches(parseFilter('http://a'), { text: ['http://a.example'] }));
});

test.run();
