/** Duties of custom policies, each in a thread of its own. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json } from '../../../src/bundle/types.js';
import type { DutyHost, DutyInstance } from '../../../src/contract/index.js';
import { customDuty } from '../../../src/control/duties/custom.js';
import { systemClock } from '../../../src/state/clock.js';
import { until } from '../../support/until.js';

// Threads of duties do not keep the process running.
const alive = setInterval(() => {}, 1000);
test.after(() => clearInterval(alive));

const running: DutyInstance[] = [];
test.after.each(() => {
  for (const duty of running.splice(0)) duty.close?.();
});

/** A duty with these members, what it publishes and what it logs. */
function duty(members: string, fetch: DutyHost['fetch'] = () => new Promise(() => {})) {
  const published: Json[] = [];
  const lines: string[] = [];
  const log = (message: string, fields?: { readonly [key: string]: unknown }): void => {
    lines.push(`${message} ${String(fields?.['cause'] ?? '')}`);
  };
  const host: DutyHost = {
    name: 'own',
    clock: systemClock,
    random: Math.random,
    logger: { debug: log, info: log, warn: log, error: log },
    fetch,
    publish: (value) => published.push(value),
    last: undefined,
  };
  const text = `const { definePolicy } = require('gw/policy');
    module.exports = definePolicy({ summary: 'A test', phase: 'guard', create: () => ({ before() {} }),
      duty: { create: (settings, host) => ({ ${members} }) } });`;
  const instance = customDuty(text, './own.js')(null, host);
  running.push(instance);
  return { instance, published, lines };
}

const causeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'succeeded',
    (error: unknown) => String(error),
  );

test('a value that is too large fails the run of a custom duty', async () => {
  const { instance, published } = duty(`async run() { host.publish('x'.repeat(5 * 1024 * 1024)); }`);
  assert.match(await causeOf(instance.run()), 'A published value has more than 4194304 bytes');
  assert.equal(published, []);
});

test('a value that is not JSON fails the run of a custom duty', async () => {
  const { instance } = duty('async run() { host.publish(undefined); }');
  assert.match(await causeOf(instance.run()), 'A published value must be JSON');
});

test('a custom duty that publishes in a loop sends a few values, and the last one before its run ends', async () => {
  const { instance, published } = duty('async run() { for (let i = 1; i <= 5000; i++) host.publish(i); }');
  await instance.run();
  assert.is(published.at(-1), 5000);
  assert.ok(published.length < 5, String(published.length));
});

test('a custom duty has at most 64 requests at a time', async () => {
  const { instance } = duty(
    `async run() { for (let i = 0; i < 64; i++) void host.fetch('http://a'); await host.fetch('http://a'); }`,
  );
  assert.match(await causeOf(instance.run()), '64 requests of the duty are pending');
});

test('close() of a custom duty is called, and its errors are logged', async () => {
  const { instance, lines } = duty(`async run() {}, close() { throw new Error('not now'); }`);
  await instance.run();
  instance.close?.();
  await until(() => lines.includes('cannot close a duty not now'), 'the log line');
});

test('a custom duty that throws between its runs is logged, and the next run has another thread', async () => {
  const { instance, lines, published } = duty(
    `async run() { host.publish(1); },
     async ask() { setTimeout(() => { throw new Error('in between'); }, 20); return null; }`,
  );
  await instance.run();
  assert.is(await instance.ask?.('throw'), null);
  await until(() => lines.includes('thread of a duty ended in between'), 'the log line');
  await instance.run();
  assert.equal(published, [1, 1]);
});

test('a custom duty that never settles ends when it is closed', async () => {
  const { instance } = duty('async run() { for (;;); }');
  const run = causeOf(instance.run());
  instance.close?.();
  assert.match(await run, 'the duty was closed');
});

test.run();
