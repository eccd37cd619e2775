/** A gateway that runs out of file descriptors: effect on clients, log lines, and recovery. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../../control/kit.js';
import * as faults from '../../support/fault-target.js';
import { FaultTarget } from '../../support/fault-target.js';
import { ServedGateway } from '../../support/gw-process.js';
import { onlyWhere } from '../../support/only-where.js';
import { until } from '../../support/until.js';
import { call, removeFolders } from '../control-kit.js';
import { RawClient, specOf } from '../engine-kit.js';

interface Context {
  target: FaultTarget;
  spec: string;
  gateway: ServedGateway | undefined;
}
const test = suite<Context>('file descriptors');
const limit = (pid: number, count: number): boolean =>
  spawnSync('prlimit', ['--pid', String(pid), `--nofile=${count}:`]).status === 0;
const canCount = existsSync('/proc/self/fd');
const counted = onlyWhere(canCount, 'open descriptors cannot be counted here', test);
const limited = onlyWhere(limit(process.pid, 4096), 'prlimit is missing or may not set 4096 descriptors', test);
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
/** Descriptors that a child process inherits, besides its three streams and the listed folder. */
const inherited = (): number =>
  spawnSync('ls', ['/proc/self/fd'], { stdio: ['ignore', 'pipe', 'ignore'] })
    .stdout.toString()
    .trim()
    .split('\n').length - 4;
/** Slightly more than Node needs to load its modules. */
const FEW = 280 + (canCount ? inherited() : 0);

test.before.each(async (context) => {
  context.target = await FaultTarget.start();
  context.spec = join(temporaryFolder(), 'gateway.toml');
  writeFileSync(context.spec, specOf(context.target.url, { service: 'eject_after = 1\nretries = 0' }));
});
test.after.each(async (context) => {
  await context.gateway?.stop();
  context.gateway = undefined;
  await context.target.close();
});
test.after(removeFolders);

const clientOf = ({ url }: ServedGateway): RawClient =>
  new RawClient(connect({ port: Number(new URL(url).port), host: '127.0.0.1', noDelay: true }));

/** CPU time of the gateway in milliseconds. */
function cpuOf({ pid }: ServedGateway): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const adminAnswers = async ({ runtimeDir }: ServedGateway): Promise<boolean> => {
  const socket = readdirSync(runtimeDir).find((name) => name.endsWith('.sock'));
  return (await call('/readyz', { socketPath: join(runtimeDir, socket ?? '') })).status === 200;
};

counted(
  'more clients than descriptors: those who are in are served, the others get 503, and room is used again',
  async (context) => {
    const gateway = await ServedGateway.start([context.spec], { descriptors: FEW });
    context.gateway = gateway;
    const clients = Array.from({ length: 3 * FEW }, () => clientOf(gateway));
    await until(() => clients.filter(({ ended }) => !ended).length < FEW - 40, 'the other clients to be rejected');
    for (const { ended, pending } of clients) assert.ok(!ended || pending.includes('urn:gw:problem:gateway/exhausted'));
    const served = clients.filter(({ ended }) => !ended);
    for (const client of served) client.send(GET);
    let answered = 0;
    for (const client of served) {
      const { status, body, header } = await client.reply();
      if (status === 200) answered++;
      // Accepted clients are served, including a new target connection; a client rejected late may see a reset.
      else assert.is(`${status} ${header('connection')}`, '503 close', String(body));
    }
    assert.ok(answered > 20, String(answered));
    assert.ok(await adminAnswers(gateway));

    // The rejected clients have disconnected. How many are accepted now depends on how many connect at the same time.
    let [last, before, since] = [200, 0, 0];
    for (let late = 0; last === 200 && late < FEW; late++) {
      before = cpuOf(gateway);
      since = performance.now();
      const client = clientOf(gateway);
      clients.push(client);
      client.send(GET);
      const { status, body } = await client.reply();
      last = status;
      if (status !== 200) assert.match(body.toString(), 'urn:gw:problem:gateway/exhausted');
    }
    assert.is(last, 503, 'full');
    await until(() => performance.now() - since > 300, 'some time to pass');
    const share = (cpuOf(gateway) - before) / (performance.now() - since);
    assert.ok(share < 0.5, `it spins: ${share} of a processor`);

    for (const client of clients) client.destroy();
    await until(() => gateway.log.includes('file descriptors available again'), 'descriptors');
    assert.is((await call(gateway.url)).body, 'hello');
    assert.is(gateway.log.split('out of file descriptors for new connections').length, 2, 'logged once');
  },
);

limited('no descriptor for a target connection: 503, and it does not count as a target failure', async (context) => {
  const gateway = await ServedGateway.start([context.spec]);
  context.gateway = gateway;
  const client = clientOf(gateway);
  // No target connection is open yet, so the first request must open one.
  client.send('GET /%zz HTTP/1.1\r\nHost: a.example\r\n\r\n');
  assert.is((await client.reply()).status, 400);
  assert.ok(limit(gateway.pid, 10));
  for (let turn = 0; turn < 3; turn++) {
    client.send(GET);
    const reply = await client.reply();
    assert.is(reply.status, 503);
    assert.is(JSON.parse(reply.body.toString()).type, 'urn:gw:problem:gateway/exhausted');
  }
  assert.ok(limit(gateway.pid, 4096));
  client.send(GET);
  assert.is((await client.reply()).body.toString(), 'hello');
  assert.not.match(gateway.log, /target ejected/);
  client.destroy();
});

counted('refused target connections free their descriptors', async (context) => {
  writeFileSync(
    context.spec,
    specOf(`http://127.0.0.1:${await faults.refusingPort()}`, { service: 'eject_after = 0' }),
  );
  const gateway = await ServedGateway.start([context.spec], { descriptors: FEW });
  context.gateway = gateway;
  for (let turn = 0; turn < 2 * FEW; turn++) assert.is((await call(gateway.url)).status, 502);
});

test.run();
