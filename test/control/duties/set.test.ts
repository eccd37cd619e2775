import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { settle } from '../../support/manual-time.js';
import { dutyPolicy, fakeDuties, programOf } from './kit.js';

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no failure',
    (error: Error) => error.message,
  );

test('the first run of each duty ends before the load goes on, and its value is in the load', async () => {
  const runs: (() => void)[] = [];
  const { set, sent } = fakeDuties((host) => ({
    run: async () => {
      await new Promise<void>((resolve) => runs.push(resolve));
      host.publish({ of: host.name });
      return undefined;
    },
  }));
  let ready = false;
  const preparing = set.prepare(programOf(dutyPolicy('a'), dutyPolicy('b'), dutyPolicy('none', { duty: undefined! })));
  void preparing.then(() => {
    ready = true;
  });
  await settle();
  assert.is(runs.length, 2);
  runs[0]!();
  await settle();
  assert.not.ok(ready);
  runs[1]!();
  const { published, failures } = await preparing;
  assert.equal(
    [...published],
    [
      ['id-a', { of: 'a' }],
      ['id-b', { of: 'b' }],
    ],
  );
  assert.equal(failures, []);
  assert.equal(sent, ['id-a: {"of":"a"}', 'id-b: {"of":"b"}']);
});

test('a policy that stays keeps its duty; a removed one closes after the swap; a rejected candidate changes nothing', async () => {
  const { set, created, closed } = fakeDuties((host) => ({
    run: async () => {
      host.publish(host.name);
      return undefined;
    },
  }));
  const program = programOf(dutyPolicy('a'), dutyPolicy('b'));
  (await set.prepare(program)).commit();
  const next = await set.prepare(programOf(dutyPolicy('b'), dutyPolicy('c')));
  assert.equal(created, ['a', 'b', 'c']);
  assert.equal(closed, []);
  next.abandon();
  assert.equal(closed, ['c']);
  assert.equal([...next.published.keys()], ['id-a', 'id-b']);
  (await set.prepare(programOf(dutyPolicy('b'), dutyPolicy('c')))).commit();
  assert.equal(created, ['a', 'b', 'c', 'c']);
  assert.equal(closed, ['c', 'a']);
  assert.match(await failure(set.ask('id-a', 1)), /no duty/);
  set.close();
  assert.equal(closed, ['c', 'a', 'b', 'c']);
});

test('another duty with the same state begins with the last value', async () => {
  let works = true;
  const { set } = fakeDuties((host) => ({
    run: async () => {
      if (!works) throw new Error('outage');
      host.publish(`${JSON.stringify(host.last ?? null)}+`);
      return undefined;
    },
  }));
  const duty = { wait: 10, required: true };
  const first = dutyPolicy('a', { identity: 'one', stateIdentity: 'state', duty });
  const loaded = await set.prepare(programOf(first));
  loaded.commit();
  works = false;
  const second = dutyPolicy('a', { identity: 'two', stateIdentity: 'state', duty });
  const { failures, published, commit } = await set.prepare(programOf(second));
  assert.is(published.get('two'), 'null+');
  const [failed] = failures;
  assert.equal([failed?.cause, failed?.rejects, failed?.hasValue], ['outage', false, true]);
  commit();
  assert.equal([...published.keys()], ['two']);
});

test('a first run that fails or takes too long rejects the load if the policy requires it', async () => {
  const { set, time } = fakeDuties((host) => ({
    run: () => (host.name === 'slow' ? new Promise(() => {}) : Promise.reject(new Error('connection refused'))),
  }));
  const required = { wait: 3000, required: true };
  const preparing = set.prepare(
    programOf(dutyPolicy('slow', { duty: required }), dutyPolicy('down', { duty: required }), dutyPolicy('optional')),
  );
  await time.pass(3000);
  const { failures } = await preparing;
  assert.equal(
    failures.map(({ policy, cause, rejects }) => [policy.name, cause, rejects]),
    [
      ['slow', 'not finished within 3000 ms', true],
      ['down', 'connection refused', true],
      ['optional', 'connection refused', false],
    ],
  );
  set.close();
  assert.is(time.timers, 0);
});

test('a duty that cannot be created rejects the load and leaves no other behind', async () => {
  const { set, closed } = fakeDuties((host) => {
    if (host.name === 'bad') throw new Error('no such setting');
    return {};
  });
  const cause = await failure(set.prepare(programOf(dutyPolicy('good'), dutyPolicy('bad'))));
  assert.is(cause, 'The duty of policy bad cannot start: no such setting');
  assert.equal(closed, ['good']);
  assert.match(
    await failure(set.prepare(programOf(dutyPolicy('a', { use: 'other' })))),
    /no duty for the policy kind other/,
  );
});

test('closing the gateway ends the wait for a first run', async () => {
  const { set, time } = fakeDuties(() => ({ run: () => new Promise(() => {}) }));
  const preparing = set.prepare(programOf(dutyPolicy('a')));
  await settle();
  set.close();
  assert.is((await preparing).failures[0]?.cause, 'the duty was closed');
  assert.is(time.timers, 0);
  assert.match(await failure(set.prepare(programOf(dutyPolicy('b')))), /closing/);
});

test.run();
