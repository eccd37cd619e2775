/** The kit for the encodings of shared secrets. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type SecretEncoding, secretBytes } from '../../../src/policies/kits/secret-encoding.js';

const bytes = (text: string, encoding: SecretEncoding): string | undefined => {
  const found = secretBytes(text, encoding);
  return found === undefined ? undefined : Buffer.from(found).toString('latin1');
};

test('a secret as text, hex and base64, with and without padding', () => {
  assert.is(bytes('c2VjcmV0', 'text'), 'c2VjcmV0');
  assert.is(bytes('736563C3', 'hex'), 'sec\xc3');
  assert.is(bytes('c2VjcmV0', 'base64'), 'secret');
  assert.equal([bytes('c2VjcmU=', 'base64'), bytes('c2VjcmU', 'base64')], ['secre', 'secre']);
  assert.equal([bytes('c2Vjcg==', 'base64'), bytes('c2Vjcg', 'base64')], ['secr', 'secr']);
});

test('what is not in the encoding is no secret, also where a part of it is', () => {
  for (const text of ['', '7', '736', '7365g3', '73 65', '0x7365']) assert.is(bytes(text, 'hex'), undefined, text);
  for (const text of [
    '',
    '=',
    'c2Vjc',
    'c2Vjcg=',
    'c2VjcmV0=',
    'c2Vj cmV0',
    'c2Vj-_V0',
    'c2Vj=mV0',
    'c2Vjcg===',
    'c2VjcmV0\n',
  ])
    assert.is(bytes(text, 'base64'), undefined, text);
});

test.run();
