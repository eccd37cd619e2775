import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fanOut } from '../../../src/actions/aggregate/fan-out.js';
import { unusable } from '../../../src/actions/aggregate/outcome.js';
import type { Sent } from '../../../src/actions/aggregate/sender.js';
import { HeaderMap } from '../../../src/policies/run-kit.js';

const answer = (json: string): Sent => ({
  answer: { status: 200, headers: new HeaderMap(), json, requestedAt: 0, receivedAt: 0 },
});

test('requests are rendered when they are sent, at most as many as are in progress', async () => {
  let held = 0;
  let most = 0;
  const outcomes = await fanOut({
    count: 50,
    concurrency: 3,
    unique: false,
    render: async (index) => {
      most = Math.max(most, ++held);
      return { method: 'POST', path: `/${index}`, headers: [], body: 'x' };
    },
    send: async ({ path }) => {
      await new Promise(setImmediate);
      held--;
      return answer(path);
    },
    repeat: (sent) => sent,
    refuse: (why, index) => unusable(`each[${index}]`, why),
    ends: () => false,
  });
  assert.is(most, 3);
  assert.equal(
    outcomes.map((one) => one !== undefined && 'answer' in one && one.answer.json),
    Array.from({ length: 50 }, (_, index) => `/${index}`),
  );
});

test('an equal request is sent once and repeated for each further item; a failure that ends leaves the rest', async () => {
  const sent: string[] = [];
  const repeated: number[] = [];
  const outcomes = await fanOut({
    count: 6,
    concurrency: 1,
    unique: true,
    render: async (index) => (index === 3 ? 'has no value' : { method: 'GET', path: `/${index % 2}`, headers: [] }),
    send: async ({ path }) => {
      sent.push(path);
      return answer(path);
    },
    repeat: (one, index) => {
      repeated.push(index);
      return one;
    },
    refuse: (why, index) => unusable(`each[${index}]`, why),
    ends: () => true,
  });
  assert.equal([sent, repeated], [['/0', '/1'], [2]]);
  assert.equal(
    outcomes.map((one) => one && Object.keys(one)[0]),
    ['answer', 'answer', 'answer', 'failure', undefined, undefined],
  );
});

test.run();
