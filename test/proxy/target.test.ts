/** Who gets the connections to a target when there are fewer than are asked for. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Descriptors } from '../../src/proxy/descriptors.js';
import { Outbox } from '../../src/proxy/outbox.js';
import type { UpstreamConnection } from '../../src/proxy/upstream/connection.js';
import { Names } from '../../src/proxy/upstream/names.js';
import { Target } from '../../src/proxy/upstream/target.js';
import { StatsRegistry } from '../../src/telemetry/stats.js';
import { StatsWriter } from '../../src/telemetry/stats-writer.js';
import { generationOf, specOf, until } from '../integration/engine-kit.js';
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

test('without descriptors those who wait go on waiting for what is open', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const { program, stats } = generationOf(specOf(url), new StatsRegistry({ workers: 1 }));
  let used = 0;
  const now = (): number => performance.now();
  const host = {
    stats: new StatsWriter(stats.chunks),
    descriptors: new Descriptors(1, () => {}, { limit: () => 18, inUse: () => used }),
    names: new Names(now),
    outbox: new Outbox(),
    monotonic: now,
    lately: now,
    now,
    log: () => {},
    bug: () => {},
  };
  const target = new Target(url, program.services[0]!, stats.targets[0]![0]!, host);
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
  target.close();
  server.close();
});

test.run();
