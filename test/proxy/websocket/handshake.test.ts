import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  acceptOf,
  extensionsIn,
  replyFault,
  requestFault,
  webSocketIn,
} from '../../../src/proxy/websocket/handshake.js';
import { ACCEPT, KEY } from '../../support/frames.js';

type Fields = { readonly [name: string]: string };
const of =
  (fields: Fields) =>
  (name: string): string | undefined =>
    fields[name];
const ASKED = { 'sec-websocket-key': KEY, 'sec-websocket-version': '13' };
const REPLIED = { 'sec-websocket-accept': ACCEPT };

test('the accept of the RFC', () => assert.is(acceptOf(KEY), ACCEPT));

test('requests: method, key and version', () => {
  const fault = (more: Fields, method = 'GET') => requestFault(method, of({ ...ASKED, ...more }))?.what;
  assert.is(fault({}), undefined);
  assert.is(fault({}, 'POST'), 'handshake');
  for (const key of ['', 'AAAA', `${KEY}, ${KEY}`, 'dGhlIHNhbXBsZSBub25jZR==', 'dGhlIHNhbXBsZSBub25jZQ'])
    assert.is(fault({ 'sec-websocket-key': key }), 'handshake', key);
  for (const version of ['8', '13, 8', '013']) assert.is(fault({ 'sec-websocket-version': version }), 'version');
  assert.is(requestFault('GET', of({ 'sec-websocket-key': KEY }))?.what, 'handshake');
});

test('replies: accept, subprotocol and extensions that were offered', () => {
  const offered = { ...ASKED, 'sec-websocket-protocol': 'a, b', 'sec-websocket-extensions': 'x; p=1, Y' };
  const valid = (more: Fields, asked: Fields = offered) =>
    replyFault('GET', of(asked), of({ ...REPLIED, ...more })) === undefined;
  assert.ok(valid({}));
  assert.ok(valid({ 'sec-websocket-protocol': 'b', 'sec-websocket-extensions': 'y;q, X' }));
  for (const more of [
    { 'sec-websocket-accept': 'x' },
    { 'sec-websocket-accept': `${ACCEPT}, ${ACCEPT}` },
    { 'sec-websocket-protocol': 'B' },
    { 'sec-websocket-protocol': 'a, b' },
    { 'sec-websocket-extensions': 'x, z' },
  ])
    assert.not.ok(valid(more), JSON.stringify(more));
  assert.not.ok(valid({ 'sec-websocket-accept': acceptOf('') }, {}), 'no key was sent');
});

test('extensions decide which bits frames may use', () => {
  assert.is(extensionsIn(undefined), 'none');
  assert.is(extensionsIn('permessage-deflate; server_no_context_takeover'), 'deflate');
  assert.is(extensionsIn('permessage-deflate, other'), 'others');
});

test('WebSocket in an Upgrade field', () => {
  assert.is(webSocketIn('WebSocket'), 'only');
  assert.is(webSocketIn(', websocket ,'), 'only');
  assert.is(webSocketIn('foo/2, websocket'), 'too');
  assert.is(webSocketIn('websocket/2'), 'no');
});

test.run();
