/** `gw serve` as a process: output, signals, exit. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, closeAll, isGone, removeFolders, SpecFile, startOrigin, until } from './control-kit.js';
import { killServed, Served } from './serve-kit.js';

test.after.each(async () => {
  killServed();
  await closeAll();
});
test.after(removeFolders);

const specOf = (target: string, body = 'hello'): string => `spec = 1
drain_timeout = "5s"
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["${target}"]
[[route]]
name = "hello"
match = "GET /hello"
reply = { body = "${body}" }
[[route]]
name = "slow"
match = "GET /slow"
to = "shop"
`;

test('prints its address, reloads on SIGHUP, drains on SIGTERM', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const served = new Served({ path: spec.path, shownPath: 'gateway.toml' });
  const url = await served.url();
  assert.match(
    served.stdout,
    /gw \d+\.\d+\.\d+ serving gateway\.toml: http:\/\/127\.0\.0\.1:\d+ \(main\), 2 routes, 1 service\n/,
  );
  assert.is((await call(`${url}/hello`)).body, 'hello');
  spec.write(specOf(origin.url, 'again'));
  served.child.kill('SIGHUP');
  await until(() => /reloaded as generation 2: \+0 routes, ~1 route, -0 routes/.test(served.stdout), 'the reload');
  assert.is((await call(`${url}/hello`)).body, 'again');
  spec.write('spec = 1\n[[route]]\nmatch = 7\n');
  served.child.kill('SIGHUP');
  await until(() => /reload rejected, generation 2 keeps serving/.test(served.stdout), 'the rejection');
  assert.is((await call(`${url}/hello`)).body, 'again');
  let asked = 0;
  origin.server.on('request', () => asked++);
  const slow = call(`${url}/slow`);
  await until(() => asked > 0, 'the request to reach the origin');
  served.child.kill('SIGTERM');
  assert.is((await slow).body, 'origin GET /slow');
  assert.is(await served.exit, 0);
  assert.match(served.stdout, /draining; a second signal stops at once[\s\S]*stopped after/);
});

test('a second signal ends the process at once', async () => {
  const never = await startOrigin();
  never.server.removeAllListeners('request');
  let asked = 0;
  never.server.on('request', () => asked++);
  const spec = new SpecFile(specOf(never.url).replace('5s', '60s'));
  const served = new Served({ path: spec.path });
  const url = await served.url();
  const cut = call(`${url}/slow`).then(
    () => 'answered',
    () => 'cut',
  );
  await until(() => asked > 0, 'the request to reach the origin');
  served.child.kill('SIGINT');
  await until(() => served.stdout.includes('draining'), 'the drain');
  served.child.kill('SIGINT');
  assert.is(await served.exit, 130);
  assert.is(await cut, 'cut');
  assert.match(served.stdout, 'SIGINT again: stopping at once, 1 exchange cut');
  assert.not.match(served.stdout, 'failed while it drained', 'the drain was overtaken: nothing has failed');
});

/** A managed target that ignores SIGTERM; with `answers` false it also never becomes ready. */
function stubborn(answers: boolean): SpecFile {
  const spec = new SpecFile(`spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.deaf]
run = { command = "'${process.execPath}' deaf.cjs", ready_timeout = "30s" }
[[route]]
name = "r"
match = "/"
to = "deaf"
`);
  const listen = answers ? 'require("node:http").createServer().listen(process.env.PORT, "127.0.0.1");' : '';
  const deaf = 'process.on("SIGTERM", () => console.log("heard")); setInterval(() => {}, 1000); console.log("up");';
  writeFileSync(join(spec.folder, 'deaf.cjs'), `${listen}${deaf}`);
  return spec;
}

test('a second signal does not wait for a managed target that ignores the first', async () => {
  const served = new Served({ path: stubborn(true).path });
  await served.url();
  served.child.kill('SIGTERM');
  await until(() => served.stdout.includes('heard'), 'the signal to reach the target');
  const since = performance.now();
  served.child.kill('SIGTERM');
  assert.is(await served.exit, 143);
  assert.ok(performance.now() - since < 3000);
  assert.match(served.stdout, 'SIGTERM again: stopping at once');
});

test('a second signal during the start does not wait for a managed target', async () => {
  const served = new Served({ path: stubborn(false).path });
  await until(() => served.stdout.includes('] up'), 'the target');
  served.child.kill('SIGTERM');
  await until(() => served.stdout.includes('heard'), 'the signal to reach the target');
  const since = performance.now();
  served.child.kill('SIGINT');
  assert.is(await served.exit, 130);
  assert.ok(performance.now() - since < 3000);
  assert.match(served.stdout, 'stopped by a signal during the start');
});

test('a reload cancelled by a drain is not an error', async () => {
  const spec = stubborn(true);
  const served = new Served({ path: spec.path });
  await served.url();
  // The new target never answers, so the reload is in progress until the drain cancels it.
  writeFileSync(join(spec.folder, 'deaf.cjs'), 'console.log("never"); setInterval(() => {}, 1000)');
  spec.write(
    readFileSync(spec.path, 'utf8').replace('ready_timeout = "30s"', 'env = { A = "b" }, ready_timeout = "30s"'),
  );
  served.child.kill('SIGHUP');
  await until(() => served.stdout.includes('] never'), 'the new target');
  served.child.kill('SIGTERM');
  await until(() => served.stdout.includes('reload cancelled, the gateway is stopping'), 'the end of the reload');
  served.child.kill('SIGTERM');
  assert.is(await served.exit, 143);
  assert.not.match(served.stdout, 'reload rejected');
});

test('SIGHUP during a drain does not reload', async () => {
  const spec = new SpecFile(`drain_delay = "60s"\n${specOf('http://127.0.0.1:9')}`);
  const served = new Served({ path: spec.path });
  await served.url();
  served.child.kill('SIGTERM');
  await until(() => served.stdout.includes('SIGTERM: not ready, '), 'the drain');
  served.child.kill('SIGHUP');
  await until(() => served.stdout.includes('SIGHUP: no reload, the gateway is stopping'), 'the answer');
  served.child.kill('SIGTERM');
  assert.is(await served.exit, 143);
});

test('a spec with errors does not start: diagnostics on standard error, exit code 1', async () => {
  const spec = new SpecFile(specOf('http://127.0.0.1:9').replace('to = "shop"', 'to = "shopp"'));
  const served = new Served({ path: spec.path });
  assert.is(await served.exit, 1);
  assert.match(served.stderr, 'shopp');
  assert.match(served.stderr, 'gateway.toml:');
  assert.not.match(served.stderr, /\bat .*\.js:\d+/);
});

test('a port in use prevents the start and is named', async () => {
  const origin = await startOrigin();
  const taken = origin.url.replace('http://', '');
  const spec = new SpecFile(specOf('http://127.0.0.1:9').replace('127.0.0.1:0', taken));
  const served = new Served({ path: spec.path });
  assert.is(await served.exit, 1);
  assert.match(served.stderr, 'listener/bind');
  assert.match(served.stderr, taken);
  assert.match(served.stderr, 'Another process uses this address');
});

test('a signal while managed targets start ends them and the gateway', async () => {
  const spec = new SpecFile(`spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.slow]
run = { command = "'${process.execPath}' slow.cjs", ready_timeout = "30s" }
[[route]]
name = "r"
match = "/"
to = "slow"
`);
  writeFileSync(join(spec.folder, 'slow.cjs'), 'console.log("pid=" + process.pid); setInterval(() => {}, 1000)');
  const served = new Served({ path: spec.path });
  const pid = Number((await until(() => /pid=(\d+)/.exec(served.stdout), 'its output'))[1]);
  served.child.kill('SIGTERM');
  assert.is(await served.exit, 0);
  assert.ok(isGone(pid));
});

test('a closed log reader does not end the gateway', async () => {
  const spec = new SpecFile(specOf('http://127.0.0.1:9'));
  const served = new Served({ path: spec.path });
  const url = await served.url();
  served.child.stdout?.destroy();
  for (let count = 2; count < 5; count++) {
    served.child.kill('SIGHUP');
    await until(async () => (await call(`${url}/hello`)).status === 200, 'the reload');
  }
  served.child.kill('SIGTERM');
  assert.is(await served.exit, 0, served.stderr);
});

test('an unhandled rejection ends nothing; an uncaught exception ends the gateway in order', async () => {
  const spec = new SpecFile(specOf('http://127.0.0.1:9'));
  const served = new Served({ path: spec.path });
  const url = await served.url();
  served.child.kill('SIGWINCH');
  await until(() => /unhandled promise rejection[\s\S]*awaited by nobody/.test(served.stdout), 'the report');
  assert.is((await call(`${url}/hello`)).body, 'hello');
  served.child.kill('SIGUSR2');
  assert.is(await served.exit, 70);
  assert.match(served.stdout, /stopping because of a bug in gw[\s\S]*thrown by nobody/);
});

test('json log lines, one object each', async () => {
  const spec = new SpecFile(specOf('http://127.0.0.1:9'));
  const served = new Served({ path: spec.path, log: 'json', logLevel: 'debug' });
  await until(() => served.stdout.includes('\n'), 'the first line');
  served.child.kill('SIGTERM');
  assert.is(await served.exit, 0);
  const lines = served.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.ok(lines.every(({ level, time, message }) => level && time && message));
});

test.run();
