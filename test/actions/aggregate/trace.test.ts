import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { traced } from '../../../src/actions/aggregate/trace.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const random = (): number => 0.5;
const fieldOf = (value: string, own: readonly (readonly [string])[] = [['x']]) => {
  const { headers, span } = traced(
    [
      ['traceparent', value],
      ['x', '1'],
    ],
    own,
    random,
  );
  return [new Map(headers).get('traceparent'), span];
};

test('a call has the trace of its caller and a parent id of its own', () => {
  const span = '8000000080000000';
  assert.equal(fieldOf(`00-${TRACE}-b7ad6b7169203331-01`), [`00-${TRACE}-${span}-01`, span]);
  assert.equal(fieldOf(`00-${TRACE}-b7ad6b7169203331-00`), [`00-${TRACE}-${span}-00`, span]);
  assert.equal(fieldOf(`cc-${TRACE}-b7ad6b7169203331-ff-more`), [`00-${TRACE}-${span}-03`, span], 'a later version');
});

test('what is not a trace stays as it is', () => {
  for (const value of [
    '',
    'x',
    `ff-${TRACE}-b7ad6b7169203331-01`,
    `00-${TRACE}-b7ad6b7169203331-01-more`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`,
  ])
    assert.equal(fieldOf(value), [value, undefined], value);
  assert.equal(
    fieldOf(`00-${TRACE}-b7ad6b7169203331-01`, [['x'], ['traceparent']])[1],
    undefined,
    'a field of the call',
  );
  const twice = ['a', 'b'].map((end) => ['traceparent', `00-${TRACE}-b7ad6b716920333${end}-01`] as const);
  assert.equal(traced(twice, [], random), { headers: twice });
});

test('an id is not zero', () => {
  assert.is(traced([['traceparent', `00-${TRACE}-b7ad6b7169203331-01`]], [], () => 0).span, '0000000000000001');
});

test.run();
