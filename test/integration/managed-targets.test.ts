/** Managed targets in a running gateway: started, watched, replaced, kept and ended with it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { StartError } from '../../src/control/gateway.js';
import { call, closeAll, isGone, Load, removeFolders, SpecFile, startGateway, until } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const SHOP = `
const { createServer } = require('node:http');
createServer((request, response) => {
  if (request.url === '/crash') process.exit(1);
  setTimeout(() => response.end(process.env.WHO + ' ' + process.pid), request.url === '/slow' ? 700 : 0);
}).listen(Number(process.env.PORT));
console.log('shop is open');
`;

const specOf = (who: string, extra = '', run = ''): string => `spec = 1
drain_timeout = "5s"
[listener.main]
address = "127.0.0.1:0"

[service.shop]
run = { command = "'${process.execPath}' shop.cjs", env = { WHO = "${who}" }${run} }
${extra}
[[route]]
name = "shop"
match = "/{rest...}"
to = "shop"
`;

function specFile(text: string): SpecFile {
  const spec = new SpecFile(text);
  writeFileSync(join(spec.folder, 'shop.cjs'), SHOP);
  return spec;
}

const pidOf = (answer: { body: string }): number => Number(answer.body.split(' ')[1]);

test('a managed target starts before the gateway is ready, appears in the snapshot and ends with the gateway', async () => {
  const spec = specFile(specOf('one'));
  const { gateway, url, log } = await startGateway({ spec: spec.path });
  const pid = pidOf(await call(url));
  const [target] = gateway.snapshot().targets;
  assert.is(target?.process?.state, 'ready');
  assert.is(target?.process?.pid, pid);
  assert.is(target?.process?.restarts, 0);
  assert.match(target?.process?.command ?? '', 'shop.cjs');
  assert.match(target?.url ?? '', /^http:\/\/127\.0\.0\.1:\d+$/);
  await until(() => log.find(/^\[shop\] shop is open$/), 'its output');
  await gateway.close();
  assert.ok(isGone(pid));
});

test('a crashed target is restarted and gets requests again', async () => {
  const spec = specFile(specOf('one'));
  const { gateway, url } = await startGateway({ spec: spec.path });
  const pid = pidOf(await call(url));
  const crashed = await call(`${url}/crash`);
  assert.ok(crashed.status === 502 || crashed.status === 503, `${crashed.status}`);
  const back = await until(async () => {
    const answer = await call(url);
    return answer.status === 200 ? answer : undefined;
  }, 'the target to answer again');
  assert.is.not(pidOf(back), pid);
  const [target] = gateway.snapshot().targets;
  // The request may have been repeated.
  assert.ok((target?.process?.restarts ?? 0) >= 1);
  assert.is(gateway.snapshot().generation.id, 1, 'the port is the same, nothing was loaded');
});

test('a target whose port was taken while it was down restarts on another port', async () => {
  const spec = specFile(specOf('one'));
  const { gateway, url } = await startGateway({ spec: spec.path });
  const before = gateway.snapshot().targets[0]?.url ?? '';
  // The spec on disk is broken meanwhile.
  spec.write('spec = 1\n[[route\n');
  await call(`${url}/crash`);
  const squatter = createServer((socket) => socket.destroy());
  try {
    await until(() => takes(squatter, Number(new URL(before).port)), 'the port to be taken');
    await until(async () => (await call(url)).status === 200, 'the target to answer again');
    const [target] = gateway.snapshot().targets;
    assert.is.not(target?.url, before);
    assert.is(gateway.snapshot().generation.id, 1, 'nothing is loaded for that');
  } finally {
    squatter.close();
  }
});

const takes = (server: Server, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });

test('an unrelated edit keeps the process; an edit of its run plan replaces it without a failed request', async () => {
  const spec = specFile(specOf('one'));
  const { gateway, url } = await startGateway({ spec: spec.path });
  const pid = pidOf(await call(url));
  spec.write(specOf('one', 'retries = 2\n'));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is(pidOf(await call(url)), pid);

  const load = new Load();
  load.start(4, url, ({ status, body }) =>
    status === 200 && /^(one|two) \d+$/.test(body) ? undefined : `${status} ${body}`,
  );
  const slow = call(`${url}/slow`);
  await until(() => (gateway.snapshot().targets[0]?.inFlight ?? 0) > 0, 'the slow request to be in flight');
  spec.write(specOf('two'));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.match((await call(url)).body, /^two /);
  assert.is(gateway.phase, 'draining');
  assert.not.ok(isGone(pid), 'what is in flight keeps the old process');
  assert.is((await slow).body, `one ${pid}`);
  await until(() => isGone(pid), 'the old process to end');
  await load.stop();
  assert.equal(load.failures, []);
  await until(() => gateway.phase === 'idle', 'the gateway to be idle');
});

test('several instances share the requests, and an edit of their number keeps the others', async () => {
  const spec = specFile(specOf('one', '', ', instances = 2'));
  const { gateway, url } = await startGateway({ spec: spec.path });
  const pids = async (): Promise<Set<number>> => new Set([pidOf(await call(url)), pidOf(await call(url))]);
  const first = await pids();
  assert.is(first.size, 2);
  const load = new Load();
  load.start(4, url, ({ status, body }) => (status === 200 ? undefined : `${status} ${body}`));
  const [victim = 0, other] = first;
  process.kill(victim, 'SIGKILL');
  await until(() => gateway.snapshot().targets.some((one) => one.process?.restarts === 1), 'a restart');
  await until(() => gateway.snapshot().targets.every((one) => one.process?.state === 'ready'), 'both to be ready');
  spec.write(specOf('one'));
  assert.is((await gateway.reload())?.outcome, 'live');
  await until(() => gateway.snapshot().targets.length === 1, 'one instance');
  await load.stop();
  assert.equal(load.failures, []);
  const [left] = await pids();
  assert.not.ok(left === victim);
  // What drained is no target any more before its process has ended.
  if (left !== other) await until(() => isGone(other ?? 0), 'the drained process to end');
});

test('a service starts with the first request, which waits for it, and ends when it is idle', async () => {
  const spec = specFile(specOf('one', 'requests_per_target = 2\n', ', instances = "0..2", idle = "1s"'));
  const { gateway, url, log } = await startGateway({ spec: spec.path });
  assert.equal(gateway.snapshot().targets, []);
  const answers = await Promise.all(Array.from({ length: 8 }, () => call(`${url}/slow`)));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.ok(log.find(/scaling from 0 to [12] instances/));
  assert.is((await call(url, { method: 'POST', body: 'with a body' })).status, 200);
  await until(() => gateway.snapshot().targets.length === 0, 'the service to be idle');
  assert.is((await call(url)).status, 200);
});

test('a process that does not start is a 503 with Retry-After for those who wait, and is tried again', async () => {
  const spec = specFile(specOf('one', '', ', instances = "0..3"').replace('shop.cjs', 'broken.cjs'));
  writeFileSync(join(spec.folder, 'broken.cjs'), 'console.error("no database today"); process.exit(4)');
  const { gateway, url, log } = await startGateway({ spec: spec.path });
  const refused = await Promise.all(Array.from({ length: 4 }, () => call(url)));
  for (const { status, headers } of refused) {
    assert.is(status, 503);
    assert.is(headers['retry-after'], '1');
  }
  assert.ok(log.find(/start failed; next attempt in 100 ms/));
  const states = gateway.snapshot().targets.map(({ process }) => process?.state);
  assert.ok(states.length > 0 && states.every((state) => state === 'backoff' || state === 'starting'));
  writeFileSync(join(spec.folder, 'broken.cjs'), SHOP);
  await until(async () => (await call(url)).status === 200, 'it to start');
});

test('the process of a removed service is stopped', async () => {
  const spec = specFile(specOf('one'));
  const { gateway, url } = await startGateway({ spec: spec.path });
  const pid = pidOf(await call(url));
  spec.write(`spec = 1
[listener.main]
address = "127.0.0.1:0"
[[route]]
name = "shop"
match = "/{rest...}"
reply = { body = "closed" }
`);
  assert.is((await gateway.reload())?.summary, '+0 routes, ~1 route, -0 routes; -1 service; settings');
  assert.is((await call(url)).body, 'closed');
  await until(() => isGone(pid), 'the process to end');
  assert.equal(gateway.snapshot().targets, []);
});

test('a target that does not start rejects the reload with its last output, and the old one serves', async () => {
  const spec = specFile(specOf('one'));
  const { gateway, url, log } = await startGateway({ spec: spec.path });
  const pid = pidOf(await call(url));
  writeFileSync(join(spec.folder, 'broken.cjs'), 'console.error("no database today"); process.exit(4)');
  spec.write(specOf('one').replace('shop.cjs', 'broken.cjs'));
  const rejected = await gateway.reload();
  assert.is(rejected?.outcome, 'rejected');
  assert.match(rejected?.diagnostics ?? '', 'service/not-ready');
  assert.match(rejected?.diagnostics ?? '', 'exit code 4');
  assert.match(rejected?.diagnostics ?? '', 'no database today');
  assert.match(rejected?.diagnostics ?? '', 'gateway.toml:7');
  assert.is(pidOf(await call(url)), pid);
  assert.ok(log.find(/reload rejected, generation 1 keeps serving/));
});

test('a failed start leaves no process running', async () => {
  const spec = specFile(
    `${specOf('one')}\n[service.broken]\nrun = { command = "'${process.execPath}' broken.cjs" }\n[[route]]\nname = "b"\nmatch = "/b"\nto = "broken"\n`,
  );
  const pidFile = join(spec.folder, 'pid');
  writeFileSync(
    join(spec.folder, 'shop.cjs'),
    `require('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); ${SHOP}`,
  );
  writeFileSync(
    join(spec.folder, 'broken.cjs'),
    `const wait = setInterval(() => { if (require('node:fs').existsSync(${JSON.stringify(pidFile)})) process.exit(2) }, 20)`,
  );
  try {
    await startGateway({ spec: spec.path });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, StartError);
    assert.match((error as StartError).diagnostics, 'service/not-ready');
  }
  assert.ok(isGone(Number(readFileSync(pidFile, 'utf8'))));
});

test.run();
