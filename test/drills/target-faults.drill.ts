/**
 * Targets that fail under a constant rate of requests, by HTTP/1.1 and HTTP/2: each drill prints its failed requests by cause, and
 * asserts the bound that its settings promise.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { closeAll, removeFolders } from '../integration/control-kit.js';
import { atMost, judge, underLoad, WORKERS } from './support/bed.js';
import type { Result } from './support/load.js';
import { type Origin, startOrigins } from './support/origins.js';
import { between, endedBefore, failuresOf, peak, quantile } from './support/report.js';

const test = suite<{ origins: readonly Origin[] }>('failing targets');

/** Milliseconds that a target takes to reply, so that requests are in flight when it fails. */
const REPLY_MS = 20;
const EJECT_AFTER = 3;
/** Of three targets one fails, so at most a third of all requests is repeated: enough also where a busy machine has them all in flight. */
const RETRY = 'attempts = 1, budget = 50';
const EJECT = `eject_after = ${EJECT_AFTER}\neject_for = "500ms"`;
const CHECKS = '[service.SERVICE.health]\ntype = "http"\ninterval = "200ms"\ntimeout = "200ms"\nunhealthy_after = 1';
/** Failed requests of a target that fails for 1.5 s: until each worker ejects it, when it is tried again, and those in flight then. */
const mostEjected = (results: readonly Result[]): number =>
  WORKERS * (EJECT_AFTER + 1) + 2 * Math.ceil(peak(results) / 3);
/** Milliseconds in which a request fails while no target is there: three attempts with their waits, on a busy machine. */
const MOST_WAIT = 2000;
/** Milliseconds from the return of the targets to the last failed request: the breaker's time, its probes, and a busy machine. */
const RECOVERY = 1500;

test.before(async (context) => {
  context.origins = await startOrigins(['a', 'b', 'c'], REPLY_MS);
});
test.after.each(closeAll);
test.after(async ({ origins }) => {
  for (const origin of origins) await origin.kill();
  removeFolders();
});

/** Requests that a target may have had at this time: those that were sent and not yet answered. */
const inFlightAt = (results: readonly Result[], at: number): number =>
  results.filter((result) => result.at <= at && result.at + result.took! >= at).length;

test('killed, and started again', async ({ origins: [first, ...others] }) => {
  let killedAt = 0;
  const services = { retried: `retry = { ${RETRY} }\n${EJECT}\n${CHECKS}`, once: `retries = 0\n${EJECT}\n${CHECKS}` };
  const outcome = await underLoad([first!, ...others], services, async ({ serve }) => {
    killedAt = performance.now();
    await first!.kill();
    await delay(1500);
    await first!.start();
    await serve('a', 'b', 'c');
  });
  judge('target killed', outcome, (results, name) => {
    const once = name.includes('once');
    return atMost(results, once ? inFlightAt(results, killedAt) + EJECT_AFTER * WORKERS : 0, name);
  });
});

test('frozen, and going on', async ({ origins: [first, ...others] }) => {
  const late = `retry = { ${RETRY}, on = ["connect", "reset", "timeout"] }\nresponse_timeout = "300ms"`;
  const services = { retried: `${late}\n${EJECT}\n${CHECKS}` };
  const outcome = await underLoad([first!, ...others], services, async ({ serve }) => {
    first!.signal('SIGSTOP');
    await delay(2000);
    first!.signal('SIGCONT');
    await serve('a', 'b', 'c');
  });
  judge('target frozen', outcome, (results, name) => {
    return atMost(results, 0, name);
  });
});

test('answering 500, and well again', async ({ origins: [first, ...others] }) => {
  const after = `${EJECT}\neject_after_5xx = ${EJECT_AFTER}`;
  const services = { retried: `retry = { ${RETRY}, statuses = [500] }\n${after}`, once: after };
  const outcome = await underLoad([first!, ...others], services, async ({ serve }) => {
    await first!.behave('errors');
    await delay(1500);
    await first!.behave('well');
    await serve('a', 'b', 'c');
  });
  judge('target answers 500', outcome, (results, name) => {
    return atMost(results, name.includes('once') ? mostEjected(results) : 0, name);
  });
});

test('resetting within bodies, and well again', async ({ origins: [first, ...others] }) => {
  const outcome = await underLoad([first!, ...others], { any: EJECT }, async ({ serve }) => {
    await first!.behave('resets');
    await delay(1500);
    await first!.behave('well');
    await serve('a', 'b', 'c');
  });
  judge('target resets within bodies', outcome, (results, name) => {
    return atMost(results, mostEjected(results), name);
  });
});

test('flapping: killed and started again all the time', async ({ origins: [first, ...others] }) => {
  const services = { retried: `retry = { ${RETRY} }\neject_after = ${EJECT_AFTER}\neject_for = "200ms"` };
  let rounds = 0;
  const outcome = await underLoad([first!, ...others], services, async () => {
    const until = performance.now() + 3000;
    while (performance.now() < until) {
      await first!.kill();
      await delay(100);
      await first!.start();
      await delay(300);
      rounds++;
    }
  });
  judge(`target flaps ${rounds} times`, outcome, (results, name) => atMost(results, 0, name));
});

test('all targets gone and back: fast errors meanwhile, and recovery', async ({ origins }) => {
  const breaker = '[service.SERVICE.breaker]\nconsecutive = 5\nopen_for = "500ms"';
  const services = { plain: EJECT, breaker: `${EJECT}\n${breaker}` };
  let goneAt = 0;
  let backAt = 0;
  const outcome = await underLoad(origins, services, async ({ serve }) => {
    await Promise.all(origins.map((origin) => origin.kill()));
    goneAt = performance.now();
    await delay(1500);
    await Promise.all(origins.map((origin) => origin.start()));
    backAt = performance.now();
    await serve('a', 'b', 'c');
    await delay(RECOVERY);
  });
  judge('all targets gone for 1.5 s', outcome, (results, name) => {
    const failed = failuresOf(results);
    const meanwhile = between(failed, goneAt);
    assert.ok(meanwhile.length > 0, name);
    const slowest = quantile(meanwhile, 0.95);
    // What a busy machine needs for any request.
    const busy = quantile(endedBefore(results, goneAt), 0.99);
    assert.ok(slowest < MOST_WAIT + 2 * busy, `${name}: errors took ${slowest} ms`);
    if (name.includes('breaker'))
      assert.ok(
        meanwhile.some(({ cause, retryAfter }) => cause === '503 upstream/open' && retryAfter !== ''),
        name,
      );
    const recovery = Math.max(0, failed.at(-1)!.at - backAt);
    assert.ok(
      recovery < RECOVERY + 2 * quantile(results, 0.99),
      `${name}: failures until ${recovery} ms after the return`,
    );
    return `recovered ${Math.round(recovery)} ms after the return`;
  });
});

test.run();
