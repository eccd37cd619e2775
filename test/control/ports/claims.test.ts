/** Claims of shared addresses: one gateway holds them, from before binding until it ends. */
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { test as always } from 'uvu';
import * as assert from 'uvu/assert';

import { assertFree } from '../../../src/control/ports/addresses.js';
import { PortClaims } from '../../../src/control/ports/claims.js';
import { errnoCode } from '../../../src/reason.js';
import { onlyWhere } from '../../support/only-where.js';
import { freePort } from '../../support/ports.js';
import { until } from '../../support/until.js';

const test = onlyWhere(process.platform === 'linux', 'there are no abstract sockets here', always);

/** The code of the error; undefined if there was none. */
const failure = (made: Promise<unknown>): Promise<string | undefined> => made.then(() => undefined, errnoCode);

test('an address stays claimed until it is no longer live, whether or not it is bound', async () => {
  const [mine, others] = [new PortClaims(), new PortClaims()];
  const address = `127.0.0.1:${await freePort()}`;
  await (await mine.take([address], [address])).commit([address]);
  assert.is(await failure(others.take([address], [address])), 'EADDRINUSE');
  await (await mine.take([address], [])).commit([address]);
  assert.is(await failure(others.take([address], [address])), 'EADDRINUSE', 'claimed over a reload');
  await (await mine.take([], [])).commit([]);
  await (await others.take([address], [address])).abandon();
  await (await mine.take([address], [address])).commit([address]);
  await mine.close();
  await (await others.take([address], [address])).abandon();
});

test('one gateway at a time checks a port, for any of its addresses', async () => {
  const [mine, others] = [new PortClaims(), new PortClaims()];
  const port = await freePort();
  const [one, any] = [`127.0.0.1:${port}`, `0.0.0.0:${port}`];
  const loading = await mine.take([one], [one]);
  let taken = false;
  const waits = others.take([any], [any]).finally(() => {
    taken = true;
  });
  for (let turns = 0; turns < 20; turns++) await turn();
  assert.not(taken);
  await loading.abandon();
  await (await waits).abandon();
});

test('the check for a free port accepts no client', async () => {
  const port = await freePort();
  const seen = new Set<string>();
  let looking = true;
  const clients = (async () => {
    while (looking) {
      // From another address: a socket with this port as its source port would connect to itself.
      const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
      let ended = '';
      socket.once('connect', () => seen.add('connected'));
      socket.once('error', (error) => seen.add(errnoCode(error) ?? ''));
      socket.once('close', () => {
        ended = 'closed';
      });
      await until(() => ended !== '', 'an answer');
    }
  })();
  for (let look = 0; look < 50; look++) await assertFree([`127.0.0.1:${port}`]);
  for (let look = 0; look < 50; look++) await assertFree([`0.0.0.0:${port}`]);
  looking = false;
  await clients;
  assert.equal([...seen], ['ECONNREFUSED']);
});

always.run();
