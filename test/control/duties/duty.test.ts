import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RUN_LIMIT_MS } from '../../../src/control/duties/duty.js';
import { MAX_VALUE } from '../../../src/custom/published-value.js';
import type { DutyHost } from '../../../src/policies/contract.js';
import { settle } from '../../support/manual-time.js';
import { dutyPolicy, fakeDuties, programOf } from './kit.js';

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no failure',
    (error: Error) => error.message,
  );

const program = programOf(dutyPolicy('a'));

test('a run says when the next one is due', async () => {
  let runs = 0;
  const { set, time } = fakeDuties(() => ({ run: async () => (++runs < 3 ? 60_000 : undefined) }));
  await set.prepare(program);
  assert.is(set.snapshots(program)[0]?.nextRun, time.now + 60_000);
  await time.pass(59_999);
  assert.is(runs, 1);
  await time.pass(60_001);
  assert.is(runs, 3);
  await time.pass(10 * 60_000);
  assert.is(runs, 3);
  assert.equal(set.snapshots(program), [
    {
      policy: 'a',
      use: 'fake',
      active: false,
      runs: 3,
      failures: 0,
      lastSuccess: time.now - 600_000,
      nextRun: null,
      lastError: null,
      failing: false,
    },
  ]);
});

test('no run follows another at once, whatever it asks for', async () => {
  for (const wait of [0, -5, Number.NaN, Number.POSITIVE_INFINITY, 1e12]) {
    let runs = 0;
    const { set, time } = fakeDuties(() => ({
      run: async () => {
        runs++;
        return wait;
      },
    }));
    await set.prepare(program);
    await time.pass(999);
    assert.is(runs, 1, String(wait));
    set.close();
  }
});

test('failed runs are repeated with backoff; the last value stays', async () => {
  let works = true;
  let runs = 0;
  const { set, time, log, sent } = fakeDuties((host) => ({
    run: async () => {
      runs++;
      if (!works) throw new Error('connection refused');
      host.publish(runs);
      return 1000;
    },
  }));
  const { published } = await set.prepare(program);
  works = false;
  await time.pass(1000);
  const [failing] = set.snapshots(program);
  assert.equal(
    [failing?.failing, failing?.failures, failing?.lastError],
    [true, 1, { at: time.now, cause: 'connection refused' }],
  );
  await time.pass(1000 + 2000 + 4000);
  assert.is(runs, 5);
  assert.is(published.get('id-a'), 1);
  works = true;
  await time.pass(8000);
  assert.is(runs, 6);
  assert.is(published.get('id-a'), 6);
  assert.equal(sent, ['id-a: 1', 'id-a: 6']);
  assert.is(log.lines.filter(({ message }) => message === 'duty failed').length, 4);
  assert.is(log.lines.at(-1)?.message, 'duty succeeds again');
  works = false;
  // The longest wait between two attempts is a minute.
  await time.pass(20 * 60_000);
  assert.ok(runs > 20);
});

test('a run that never settles is abandoned: another instance takes over, and what the old one publishes is ignored', async () => {
  const hosts: DutyHost[] = [];
  let hangs = true;
  const { set, time, sent, closed, created } = fakeDuties((host) => {
    hosts.push(host);
    return {
      run: () => {
        if (hangs) return new Promise(() => {});
        host.publish('new');
        return Promise.resolve(undefined);
      },
    };
  });
  const preparing = set.prepare(program);
  await time.pass(5000);
  assert.is((await preparing).failures.length, 1);
  hangs = false;
  await time.pass(RUN_LIMIT_MS - 5000);
  assert.equal([created.length, closed.length], [2, 1]);
  await time.pass(1000);
  hosts[0]!.publish('old');
  assert.equal(sent, ['id-a: "new"']);
  assert.is(set.snapshots(program)[0]?.failing, false);
});

test('a value that is too large, or no JSON, fails the run', async () => {
  for (const value of ['x'.repeat(MAX_VALUE), undefined as unknown as string]) {
    const { set, sent } = fakeDuties((host) => ({
      run: async () => {
        host.publish(value);
        return undefined;
      },
    }));
    const { failures } = await set.prepare(program);
    assert.match(failures[0]?.cause ?? '', /published value/);
    assert.equal(sent, []);
  }
});

test('a published value is a copy', async () => {
  const value = { keys: ['a'] };
  const { set } = fakeDuties((host) => ({
    run: async () => {
      host.publish(value);
      return undefined;
    },
  }));
  const { published } = await set.prepare(program);
  value.keys.push('b');
  assert.equal(published.get('id-a'), { keys: ['a'] });
});

test('questions of all workers that are equal are asked once', async () => {
  let asked = 0;
  const { set } = fakeDuties(() => ({
    ask: async (question) => {
      asked++;
      await settle();
      return [question];
    },
  }));
  await set.prepare(program);
  const answers = await Promise.all([1, 1, 1, 2].map((question) => set.ask('id-a', question)));
  assert.equal(answers, [[1], [1], [1], [2]]);
  assert.is(asked, 2);
});

test('a duty without ask, or one that is closed, refuses questions', async () => {
  const { set } = fakeDuties(() => ({}));
  await set.prepare(program);
  assert.match(await failure(set.ask('id-a', 1)), /answers no questions/);
  assert.match(await failure(set.ask('id-b', 1)), /no duty/);
  set.close();
  assert.match(await failure(set.ask('id-a', 1)), /no duty/);
});

test('a duty that cannot be closed does not stop the others from closing', async () => {
  const { set, log, closed } = fakeDuties((host) => ({
    close: () => {
      closed.push(host.name);
      throw new Error('broken');
    },
  }));
  await set.prepare(programOf(dutyPolicy('a'), dutyPolicy('b')));
  set.close();
  assert.equal(closed, ['a', 'b']);
  assert.is(log.lines.filter(({ message }) => message === 'cannot close a duty').length, 2);
});

test.run();
