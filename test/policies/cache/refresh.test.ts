import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Keeper } from '../../../src/policies/cache/keeper.js';
import { Refresher } from '../../../src/policies/cache/refresh.js';
import type { StoredReplies } from '../../../src/policies/cache/stored.js';
import { Visit } from '../../../src/policies/cache/visit.js';
import type { PolicyHost } from '../../../src/policies/contract.js';
import { until } from '../../support/until.js';
import { exchange } from '../support.js';

const test = suite('refresher');

test('a turn that comes when the exchange may have ended fetches nothing', async () => {
  let begin = (): void => {};
  let fetched = 0;
  const host: Pick<PolicyHost, 'once' | 'background'> = {
    once: async (_key, _lease, work) => {
      await new Promise<void>((resolve) => {
        begin = resolve;
      });
      return await work();
    },
    background: () => {
      fetched++;
      return Promise.reject(new Error('too late'));
    },
  };
  const logger = { debug: () => {} };
  const refresher = new Refresher({ ...host, logger } as unknown as PolicyHost, {} as Keeper, {} as StoredReplies);
  const visit = new Visit({ text: 'k', url: '' }, () => undefined);
  refresher.begin(exchange({}), visit);
  assert.not(refresher.accepts('k'));
  begin();
  await until(() => refresher.accepts('k'), 'the end of the turn');
  assert.is(fetched, 0);
});

test.run();
