import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isPlainHttp } from '../../src/policies/compile-kit.js';

test('a URL is plain http if others can read and change what it gives', () => {
  for (const url of ['http://id.example.com/keys', 'http://10.0.0.1/', 'http://[fd00::1]/', 'http://192.168.0.1:80/'])
    assert.ok(isPlainHttp(url), url);
  for (const url of ['https://id.example.com/', 'http://127.8.0.1:80/', 'http://[::1]/', 'http://LOCALHOST/'])
    assert.not(isPlainHttp(url), url);
  assert.not(isPlainHttp('http://shop.localhost/'), 'RFC 6761 section 6.3');
  for (const other of [undefined, { $ref: 'env:URL' }, 'no url']) assert.not(isPlainHttp(other));
});

test('a name that begins like a loopback address is not this machine', () => {
  assert.ok(isPlainHttp('http://127.example.com/'));
  assert.ok(isPlainHttp('http://localhost.example.com/'));
  assert.ok(isPlainHttp('http://notlocalhost/'));
});

test.run();
