/** bind() within request() of node:http2, and everywhere else. */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lightBind } from '../../../../src/proxy/upstream/http2/light-bind.js';

/** A session whose request() does this. */
const sessionThat = (work: () => void): ClientHttp2Session =>
  ({
    request: (): ClientHttp2Stream => {
      work();
      return {} as ClientHttp2Stream;
    },
  }) as unknown as ClientHttp2Session;

test('what is bound within a request runs in the scope of its resource', () => {
  const storage = new AsyncLocalStorage<string>();
  let bound: ((value: number) => readonly unknown[]) | undefined;
  const session = sessionThat(() => {
    bound = new AsyncResource('request').bind((value: number) => [value, storage.getStore()]);
  });
  storage.run('inside', () => lightBind.request(session, {}, {}));
  assert.equal(
    storage.run('outside', () => bound?.(7)),
    [7, 'inside'],
  );
  assert.is(bound?.length, 0);
});

test('after a request, also one that throws, bind() is that of Node', () => {
  const failing = sessionThat(() => {
    throw new Error('session closed');
  });
  assert.throws(() => lightBind.request(failing, {}, {}), /session closed/);
  const bound = new AsyncResource('other').bind((one: number) => one + 1);
  assert.is(bound(1), 2);
  assert.is(bound.length, 1);
});

test.run();
