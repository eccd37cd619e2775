/** Assignment of connections to a target when they are short. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Descriptors } from '../../../src/proxy/load/descriptors.js';
import { FairScheduler } from '../../../src/proxy/load/fair-scheduler.js';
import { WriteBatcher } from '../../../src/proxy/load/write-batcher.js';
import { DnsCache } from '../../../src/proxy/upstream/dns-cache.js';
import { http2Pool } from '../../../src/proxy/upstream/http2/pool.js';
import { Target } from '../../../src/proxy/upstream/target.js';
import { FailureNotes } from '../../../src/proxy/upstream/target-host.js';
import type { OwnConnection } from '../../../src/proxy/upstream/user.js';
import { StatsRegistry } from '../../../src/telemetry/stats/registry.js';
import { StatsWriter } from '../../../src/telemetry/stats/writer.js';
import { generationOf, specOf, until } from '../../integration/engine-kit.js';
import { turn } from '../../support/until.js';
import { IdleUser } from '../../support/upstream-user.js';

const test = suite('targets');

class Asking extends IdleUser {
  connection: OwnConnection | undefined;
  error: string | undefined;
  override onConnection(connection: OwnConnection): void {
    this.connection = connection;
  }
  override onUnavailable(error: string): void {
    this.error = error;
  }
}

interface Made {
  readonly target: Target;
  readonly server: Server;
  readonly turns: FairScheduler;
  close(): void;
}

/** A target that accepts and never replies. `more`: lines of its service. */
async function targetWith(descriptors: Descriptors, more = ''): Promise<Made> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const { program, stats } = generationOf(specOf(url, { service: more }), new StatsRegistry({ workers: 1 }));
  const now = (): number => performance.now();
  const turns = new FairScheduler();
  const host = {
    stats: new StatsWriter(stats.chunks),
    descriptors,
    dns: new DnsCache(now),
    batcher: new WriteBatcher(),
    scheduler: turns,
    random: Math.random,
    monotonic: now,
    cachedNow: now,
    now,
    failures: new FailureNotes(),
    http2Pool,
    log: () => {},
    bug: () => {},
  };
  const target = new Target({ url, weight: 1, slot: stats.targets[0]![0]! }, program.services[0]!, host);
  const close = (): void => {
    target.close();
    server.close();
  };
  return { target, server, turns, close };
}

test('without descriptors, exchanges wait for the open connections', async () => {
  let used = 0;
  const { target, close } = await targetWith(
    new Descriptors(1, () => {}, { limit: () => 18, inUse: () => used, now: () => 0 }),
  );
  const users = [0, 1, 2, 3].map(() => new Asking());
  target.acquire(users[0]!);
  used = 2;
  for (const user of users.slice(1)) target.acquire(user);
  await until(
    () => users[0]!.connection !== undefined && users[1]!.connection !== undefined,
    'both permitted connections',
  );
  // One closes, and a new one can be opened.
  users[0]!.connection!.abandon();
  await until(() => users[2]!.connection !== undefined, 'the third');
  assert.equal([users[3]!.connection, users[3]!.error], [undefined, undefined]);
  users[1]!.connection!.giveBack();
  assert.is(users[3]!.connection, users[1]!.connection);
  close();
});

test('while turns are held, waiting exchanges get nothing; then the free connections, in order', async () => {
  const { target, turns, close } = await targetWith(new Descriptors(1, () => {}), 'max_connections = 2');
  const users = [0, 1, 2, 3, 4].map(() => new Asking());
  for (const user of users) target.acquire(user);
  await until(
    () => users[0]!.connection !== undefined && users[1]!.connection !== undefined,
    'both permitted connections',
  );
  turns.hold();
  users[0]!.connection!.giveBack();
  users[1]!.connection!.giveBack();
  await turn();
  assert.ok(users.slice(2).every(({ connection, error }) => connection === undefined && error === undefined));
  users[2]!.over = true;
  turns.release();
  await turn();
  assert.is(users[2]!.connection, undefined, 'ended meanwhile');
  assert.ok(users[3]!.connection !== undefined && users[4]!.connection !== undefined);
  assert.is.not(users[3]!.connection, users[4]!.connection);
  // The same again.
  const last = new Asking();
  target.acquire(last);
  turns.hold();
  users[3]!.connection!.giveBack();
  turns.release();
  await turn();
  assert.is(last.connection, users[3]!.connection);
  close();
});

test('a new exchange queues behind exchanges whose turn is scheduled', async () => {
  const { target, turns, close } = await targetWith(new Descriptors(1, () => {}), 'max_connections = 1');
  const [first, old, young] = [new Asking(), new Asking(), new Asking()] as const;
  target.acquire(first);
  target.acquire(old);
  await until(() => first.connection !== undefined, 'the first');
  turns.hold();
  turns.wait({ takeTurn: () => target.acquire(young) });
  first.connection!.giveBack();
  turns.release();
  await turn();
  assert.is(old.connection, first.connection);
  assert.is(young.connection, undefined);
  old.connection!.giveBack();
  assert.is(young.connection, first.connection);
  close();
});

test('a reload that permits more connections serves waiting exchanges', async () => {
  const { target, close } = await targetWith(new Descriptors(1, () => {}), 'max_connections = 1');
  const users = [0, 1, 2, 3].map(() => new Asking());
  for (const user of users) target.acquire(user);
  target.configure({ ...target.settings, maxConnections: 3 }, 1);
  await until(() => users.slice(0, 3).every(({ connection }) => connection !== undefined), 'three');
  assert.equal([users[3]!.connection, users[3]!.error], [undefined, undefined]);
  close();
});

for (const after of [false, true])
  test(`a target that retires ${after ? 'after' : 'before'} a release while turns are held serves the waiting exchange`, async () => {
    const { target, server, turns, close } = await targetWith(new Descriptors(1, () => {}), 'max_connections = 1');
    const [first, old] = [new Asking(), new Asking()] as const;
    target.acquire(first);
    target.acquire(old);
    await until(() => first.connection !== undefined, 'the first');
    // It serves open connections and accepts no new ones.
    server.close();
    if (!after) target.retire();
    turns.hold();
    first.connection!.giveBack();
    if (after) target.retire();
    turns.release();
    await turn();
    assert.is(old.connection, first.connection);
    assert.is(old.error, undefined);
    old.connection!.giveBack();
    assert.ok(target.finished);
    close();
  });

test.run();
