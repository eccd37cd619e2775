import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Sender } from '../../../src/actions/aggregate/sender.js';
import type { ActionHost, Exchange } from '../../../src/policies/contract.js';

test('no memory is taken after it was given back', () => {
  let taken = 0;
  const memory = {
    take: (bytes: number): boolean => {
      taken += bytes;
      return true;
    },
    give: (bytes: number): void => {
      taken -= bytes;
    },
  };
  const host = { memory } as unknown as ActionHost;
  const sender = new Sender(host, {} as unknown as Exchange, { deadline: 1000, maxTotal: 1000, store: undefined });
  assert.is(sender.keep(10), true);
  assert.is(taken, 10);
  sender.release();
  // The client has left while the reply was merged.
  assert.is(sender.keep(10), false);
  assert.is(taken, 0);
});

test.run();
