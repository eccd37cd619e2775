import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { errnoCode, messageOf, reasonOf } from '../src/reason.js';
import { freePort } from './support/ports.js';

function thrown(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return assert.unreachable('nothing was thrown');
}

test('files that the system refuses: no code, no name of a call, no path', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-reason-'));
  const below = join(folder, 'no', 'file');
  assert.is(reasonOf(thrown(() => readFileSync(below))), 'no such file');
  assert.is(
    reasonOf(
      thrown(() => writeFileSync(below, '')),
      'write',
    ),
    'no such folder',
  );
  assert.is(reasonOf(thrown(() => readFileSync(folder))), 'it is a folder');
  assert.is(reasonOf(thrown(() => readFileSync('/dev/null/x'))), 'a part of the path is not a folder');
  assert.is(reasonOf(thrown(() => writeFileSync('a\0b', ''))), 'a path cannot contain a NUL character');
  rmdirSync(folder);
});

test('addresses that the system refuses', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const refusal = async (listener: { once: NodeJS.EventEmitter['once'] }): Promise<unknown> =>
    new Promise((resolve) => listener.once('error', resolve));
  assert.is(reasonOf(await refusal(createServer().listen(port, '127.0.0.1'))), 'address already in use');
  assert.is(reasonOf(await refusal(createServer().listen(0, '192.0.2.1'))), 'not an address of this machine');
  assert.is(reasonOf(await refusal(connect(await freePort(), '127.0.0.1'))), 'connection refused');
  server.close();
});

test('what is no refusal of the system speaks for itself', () => {
  assert.is(reasonOf(new Error('the spec is gone')), 'the spec is gone');
  assert.is(reasonOf(Object.assign(new Error('odd'), { code: 'ERR_ODD' })), 'odd');
  assert.is(reasonOf('a text'), 'a text');
  assert.is(messageOf(undefined), 'undefined');
  assert.is(errnoCode(Object.assign(new Error(), { code: 7 })), undefined);
  assert.is(errnoCode({ code: 'ENOENT' }), undefined);
});

test.run();
