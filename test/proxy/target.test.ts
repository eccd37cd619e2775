/** Who gets the connections to a target when there are fewer than are asked for. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Descriptors } from '../../src/proxy/descriptors.js';
import { Outbox } from '../../src/proxy/outbox.js';
import { Turns } from '../../src/proxy/turns.js';
import type { UpstreamConnection } from '../../src/proxy/upstream/connection.js';
import { Names } from '../../src/proxy/upstream/names.js';
import { Target } from '../../src/proxy/upstream/target.js';
import { StatsRegistry } from '../../src/telemetry/stats.js';
import { StatsWriter } from '../../src/telemetry/stats-writer.js';
import { generationOf, specOf, until } from '../integration/engine-kit.js';
import { turn } from '../support/until.js';
import { IdleUser } from '../support/upstream-user.js';

const test = suite('targets');

class Asking extends IdleUser {
  connection: UpstreamConnection | undefined;
  error: string | undefined;
  override onConnection(connection: UpstreamConnection): void {
    this.connection = connection;
  }
  override onUnavailable(error: string): void {
    this.error = error;
  }
}

interface Made {
  readonly target: Target;
  readonly turns: Turns;
  close(): void;
}

/** A target that accepts and says nothing. `more`: lines of its service. */
async function targetWith(descriptors: Descriptors, more = ''): Promise<Made> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const { program, stats } = generationOf(specOf(url, { service: more }), new StatsRegistry({ workers: 1 }));
  const now = (): number => performance.now();
  const turns = new Turns();
  const host = {
    stats: new StatsWriter(stats.chunks),
    descriptors,
    names: new Names(now),
    outbox: new Outbox(),
    turns,
    monotonic: now,
    lately: now,
    now,
    log: () => {},
    bug: () => {},
  };
  const target = new Target(url, program.services[0]!, stats.targets[0]![0]!, host);
  const close = (): void => {
    target.close();
    server.close();
  };
  return { target, turns, close };
}

test('without descriptors those who wait go on waiting for what is open', async () => {
  let used = 0;
  const { target, close } = await targetWith(new Descriptors(1, () => {}, { limit: () => 18, inUse: () => used }));
  const users = [0, 1, 2, 3].map(() => new Asking());
  target.acquire(users[0]!);
  used = 2;
  for (const user of users.slice(1)) target.acquire(user);
  await until(() => users[0]!.connection !== undefined && users[1]!.connection !== undefined, 'both that there may be');
  // One goes, and one may be opened in its place.
  users[0]!.connection!.abandon();
  await until(() => users[2]!.connection !== undefined, 'the third');
  assert.equal([users[3]!.connection, users[3]!.error], [undefined, undefined]);
  target.release(users[1]!.connection!);
  assert.is(users[3]!.connection, users[1]!.connection);
  close();
});

test('while turns are held those who wait get nothing; then what has become free, in their order', async () => {
  const { target, turns, close } = await targetWith(new Descriptors(1, () => {}), 'max_connections = 2');
  const users = [0, 1, 2, 3, 4].map(() => new Asking());
  for (const user of users) target.acquire(user);
  await until(() => users[0]!.connection !== undefined && users[1]!.connection !== undefined, 'both that there may be');
  turns.hold();
  target.release(users[0]!.connection!);
  target.release(users[1]!.connection!);
  await turn();
  assert.ok(users.slice(2).every(({ connection, error }) => connection === undefined && error === undefined));
  users[2]!.over = true;
  turns.release();
  await turn();
  assert.is(users[2]!.connection, undefined, 'gone meanwhile');
  assert.ok(users[3]!.connection !== undefined && users[4]!.connection !== undefined);
  assert.is.not(users[3]!.connection, users[4]!.connection);
  // And so the next time.
  const last = new Asking();
  target.acquire(last);
  turns.hold();
  target.release(users[3]!.connection!);
  turns.release();
  await turn();
  assert.is(last.connection, users[3]!.connection);
  close();
});

test.run();
