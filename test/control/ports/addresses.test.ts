import { createServer } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertFree, pinAddresses, whyNoSharing } from '../../../src/control/ports/addresses.js';
import type { GenerationInput } from '../../../src/proxy/types.js';
import { listenerPlan, programWith } from '../../support/programs.js';

test('several workers need a Node version and a platform with port sharing', () => {
  assert.match(whyNoSharing({ node: '20.20.2' }, 'linux') ?? '', /Node 22\.12 or later \(this is 20\.20\.2\)/);
  assert.match(whyNoSharing({ node: '22.11.0' }, 'linux') ?? '', /22\.12/);
  assert.match(whyNoSharing({ node: '23.0.0' }, 'linux') ?? '', /22\.12/);
  for (const node of ['22.12.0', '23.1.0', '24.3.0']) assert.is(whyNoSharing({ node }, 'linux'), undefined);
  assert.match(whyNoSharing({ node: '24.3.0' }, 'darwin') ?? '', /this platform \(darwin\)/);
  assert.match(whyNoSharing({ node: '24.3.0' }, 'win32') ?? '', /win32/);
});

test('only ephemeral ports are pinned', () => {
  const listeners = [
    listenerPlan('any'),
    listenerPlan('fixed', { address: '127.0.0.1:8080' }),
    listenerPlan('new', { address: '[::1]:0' }),
  ];
  const input: GenerationInput = {
    id: 1,
    sha256: '',
    program: programWith({ listeners }),
    trie: new SharedArrayBuffer(8),
    stats: { chunks: [], routes: [], unmatched: 0, targets: [], listeners: [] },
  };
  const pinned = pinAddresses(input, [
    { name: 'any', address: '127.0.0.1:4711' },
    { name: 'fixed', address: '127.0.0.1:8080' },
  ]);
  assert.equal(
    pinned.program.listeners.map(({ address }) => address),
    ['127.0.0.1:4711', '127.0.0.1:8080', '[::1]:0'],
  );
});

test('an address in use is not free, and two overlapping addresses conflict', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const codeOf = (addresses: readonly string[]): Promise<unknown> =>
    assertFree(addresses).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
  assert.is(await codeOf([`127.0.0.1:${port}`]), 'EADDRINUSE');
  await new Promise((resolve) => taken.close(resolve));
  assert.is(await codeOf([`127.0.0.1:${port}`]), undefined);
  assert.is(await codeOf([`127.0.0.1:${port}`, `0.0.0.0:${port}`]), 'EADDRINUSE');
  assert.is(await codeOf([`0.0.0.0:${port}`]), undefined, 'nothing was left bound');
});

test.run();
