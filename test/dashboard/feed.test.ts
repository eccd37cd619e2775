import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../src/dashboard/address.js';
import { type Batch, type Connection, type FeedOptions, LiveFeed } from '../../src/dashboard/feed.js';
import { FakeGateway } from './fake-gateway.js';
import { until, withFolder } from './help.js';
import { record } from './sample.js';

interface Watched {
  readonly feed: LiveFeed;
  readonly connections: Connection[];
  readonly batches: Batch[];
  status(): string | undefined;
}

function watched(locate: FeedOptions['locate'], more: Partial<FeedOptions> = {}): Watched {
  const connections: Connection[] = [];
  const batches: Batch[] = [];
  const feed = new LiveFeed({
    locate,
    connection: (connection) => connections.push(connection),
    batch: (batch) => batches.push(batch),
    batchMs: 5,
    backoffMs: [5, 20],
    ...more,
  });
  feed.start();
  return { feed, connections, batches, status: () => connections.at(-1)?.status };
}

const at = (gateway: FakeGateway): Address => ({ kind: 'socket', path: gateway.socket });

test('goes from connecting to live and brings a snapshot', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, connections, batches, status } = watched(async () => at(gateway));
    await until('a snapshot', () => batches.length > 0);
    assert.equal(batches[0]?.snapshot, gateway.snapshot);
    assert.equal(
      connections.map((connection) => connection.status),
      ['connecting', 'live'],
    );
    assert.is(status(), 'live');
    feed.close();
    await gateway.close();
  });
});

test('finds the gateway again after a restart at another place', async () => {
  await withFolder(async (directory) => {
    let gateway: FakeGateway | undefined = await FakeGateway.start({ directory });
    const { feed, batches, connections, status } = watched(async () => gateway && at(gateway));
    await until('live', () => status() === 'live');
    const old = gateway;
    gateway = undefined;
    await old.close();
    await until('several tries', () => {
      const last = connections.at(-1);
      return last?.status === 'lost' && last.attempt >= 3;
    });
    const last = connections.at(-1);
    assert.is(last?.status === 'lost' && last.reason, 'the gateway is not running');
    gateway = await FakeGateway.start({ directory, pid: process.ppid });
    await until('live again', () => status() === 'live');
    await until('its snapshot', () => batches.at(-1)?.snapshot?.gateway.pid === process.ppid);
    feed.close();
    await gateway.close();
  });
});

test('a place that cannot be looked up is a reason, not a crash', async () => {
  const { feed, connections, status } = watched(() => Promise.reject(new Error('no folder')));
  await until('lost', () => status() === 'lost');
  const last = connections.at(-1);
  assert.is(last?.status === 'lost' && last.reason, 'no folder');
  feed.close();
});

test('waits longer from try to try, up to a most', async () => {
  const { feed, connections } = watched(async () => undefined, { backoffMs: [2, 8] });
  await until('six tries', () => connections.filter(({ status }) => status === 'lost').length >= 6);
  feed.close();
  const before = connections.length;
  await new Promise((wake) => setImmediate(wake));
  assert.is(connections.length, before);
});

test('requests flow while they are watched, without a gap in between', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, batches, connections, status } = watched(async () => at(gateway));
    await until('live', () => status() === 'live');
    feed.watch('decisions');
    await until('the second stream', () => gateway.watched.length === 2 && gateway.streams === 1);
    gateway.emit({ type: 'requests', requests: [record(1), record(2)], dropped: 3 });
    await until('requests', () => batches.some((batch) => batch.requests.length === 2 && batch.dropped === 3));
    feed.watch('decisions');
    feed.watch('off');
    await until('the third stream', () => gateway.watched.length === 3 && gateway.streams === 1);
    assert.equal(gateway.watched, ['', '?requests=1&decisions=1', '']);
    assert.equal(
      connections.map((connection) => connection.status),
      ['connecting', 'live'],
      'nothing was lost',
    );
    feed.close();
    await gateway.close();
  });
});

test('a level asked for before the first stream is open is not forgotten', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, status } = watched(async () => {
      // Just before the stream is opened with the level of that moment.
      setImmediate(() => feed.watch('decisions'));
      return at(gateway);
    });
    await until('live', () => status() === 'live');
    await until('the level', () => gateway.watched.at(-1) === '?requests=1&decisions=1' && gateway.streams === 1);
    feed.close();
    await gateway.close();
  });
});

test('many events become few batches, and no more requests wait than a screen can use', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, batches, status } = watched(async () => at(gateway), { batchMs: 100 });
    feed.watch('records');
    await until('live', () => status() === 'live' && gateway.watched.at(-1) !== '');
    await until('first batch', () => batches.length > 0);
    const before = batches.length;
    for (let index = 0; index < 300; index++) {
      gateway.emit({
        type: 'requests',
        requests: Array.from({ length: 10 }, (_, one) => record(index * 10 + one)),
        dropped: 0,
      });
    }
    gateway.emit({ type: 'reload', reload: gateway.reloadAnswer });
    const fresh = (): Batch[] => batches.slice(before);
    const sum = (): number => fresh().reduce((all, batch) => all + batch.requests.length + batch.dropped, 0);
    await until('all', () => sum() === 3_000 && fresh().some((batch) => batch.reloads.length === 1));
    assert.ok(fresh().length <= 10, `${fresh().length} batches`);
    assert.ok(fresh().every((batch) => batch.requests.length <= 1_000));
    feed.close();
    await gateway.close();
  });
});

test('silence shows, and ends the connection when it lasts', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, connections, status } = watched(async () => at(gateway), { silenceMs: [60, 2_000] });
    await until('silence', () => status() === 'silent');
    gateway.emit({ type: 'snapshot', snapshot: gateway.snapshot });
    await until('live again', () => status() === 'live');
    feed.close();
    const strict = watched(async () => at(gateway), { silenceMs: [30, 60] });
    await until('given up', () =>
      strict.connections.some((one) => one.status === 'lost' && /said nothing/.test(one.reason)),
    );
    strict.feed.close();
    assert.ok(connections.length > 0);
    await gateway.close();
  });
});

test('reload needs a connection, and goes through one', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, status } = watched(async () => at(gateway));
    let refused = '';
    await feed.reload().catch((error: Error) => {
      refused = error.message;
    });
    assert.match(refused, /no connection/);
    await until('live', () => status() === 'live');
    assert.equal(await feed.reload(), gateway.reloadAnswer);
    feed.close();
    await gateway.close();
  });
});

test.run();
