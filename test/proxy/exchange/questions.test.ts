import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json } from '../../../src/bundle/types.js';
import { Questions } from '../../../src/proxy/exchange/questions.js';
import { ManualTime, settle } from '../../support/manual-time.js';

const LIMITS = { pending: 2, timeout: 100, size: 1000 };

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no failure',
    (error: Error) => error.message,
  );

test('equal questions at the same time are asked once; later ones again', async () => {
  const asked: Json[] = [];
  const answers: ((answer: Json) => void)[] = [];
  const questions = new Questions((question) => {
    asked.push(question);
    return new Promise((resolve) => answers.push(resolve));
  }, new ManualTime().after);
  const both = [questions.ask({ kid: 'a' }), questions.ask({ kid: 'a' })];
  const other = questions.ask({ kid: 'x'.repeat(100) });
  await settle();
  assert.is(asked.length, 2);
  answers[0]!('first');
  answers[1]!('second');
  assert.equal(await Promise.all([...both, other]), ['first', 'first', 'second']);
  const again = questions.ask({ kid: 'a' });
  await settle();
  assert.is(asked.length, 3);
  answers[2]!('third');
  assert.is(await again, 'third');
});

test('a question that is not answered in time fails, and leaves nothing behind', async () => {
  const time = new ManualTime();
  const questions = new Questions(() => new Promise(() => {}), time.after, LIMITS);
  const failed = failure(questions.ask('a'));
  await time.pass(100);
  assert.is(await failed, 'no answer of the duty within 100 ms');
  assert.is(time.timers, 0);
});

test('the number of pending questions and their size are bounded', async () => {
  const questions = new Questions(() => new Promise(() => {}), new ManualTime().after, LIMITS);
  for (const question of ['a', 'b']) void questions.ask(question);
  assert.match(await failure(questions.ask('c')), /too many questions/);
  assert.match(await failure(questions.ask('x'.repeat(2000))), /longer than 1000/);
  assert.match(await failure(questions.ask(undefined as unknown as Json)), /must be JSON/);
});

test('an exception of the asker rejects the question', async () => {
  const time = new ManualTime();
  const questions = new Questions(() => {
    throw new Error('broken');
  }, time.after);
  assert.is(await failure(questions.ask('a')), 'broken');
  assert.is(time.timers, 0);
});

test.run();
