import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../src/dashboard/address.js';
import { type Batch, type Connection, EventFeed, type FeedOptions } from '../../src/dashboard/feed.js';
import { until } from '../support/until.js';
import { FakeGateway } from './fake-gateway.js';
import { withFolder } from './help.js';
import { record } from './sample.js';

interface Watched {
  readonly feed: EventFeed;
  readonly connections: Connection[];
  readonly batches: Batch[];
  status(): string | undefined;
}

function watched(locate: FeedOptions['locate'], more: Partial<FeedOptions> = {}): Watched {
  const connections: Connection[] = [];
  const batches: Batch[] = [];
  const feed = new EventFeed({
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

test('the feed goes from connecting to live and delivers a snapshot', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, connections, batches, status } = watched(async () => at(gateway));
    await until(() => batches.length > 0, 'a snapshot');
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

test('the feed finds a gateway again that restarts at another address', async () => {
  await withFolder(async (directory) => {
    let gateway: FakeGateway | undefined = await FakeGateway.start({ directory });
    const { feed, batches, connections, status } = watched(async () => gateway && at(gateway));
    await until(() => status() === 'live', 'live');
    const old = gateway;
    gateway = undefined;
    await old.close();
    await until(() => {
      const last = connections.at(-1);
      return last?.status === 'lost' && last.attempt >= 3;
    }, 'several tries');
    const last = connections.at(-1);
    assert.is(last?.status === 'lost' && last.reason, 'the gateway is not running');
    gateway = await FakeGateway.start({ directory, pid: process.ppid });
    await until(() => status() === 'live', 'live again');
    await until(() => batches.at(-1)?.snapshot?.gateway.pid === process.ppid, 'its snapshot');
    feed.close();
    await gateway.close();
  });
});

test('an error during discovery is reported, not a crash', async () => {
  const { feed, connections, status } = watched(() => Promise.reject(new Error('no folder')));
  await until(() => status() === 'lost', 'lost');
  const last = connections.at(-1);
  assert.is(last?.status === 'lost' && last.reason, 'no folder');
  feed.close();
});

test('the feed backs off between attempts, up to a maximum', async () => {
  const { feed, connections } = watched(async () => undefined, { backoffMs: [2, 8] });
  await until(() => connections.filter(({ status }) => status === 'lost').length >= 6, 'six tries');
  feed.close();
  const before = connections.length;
  await new Promise((wake) => setImmediate(wake));
  assert.is(connections.length, before);
});

test('watched requests arrive without a gap', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, batches, connections, status } = watched(async () => at(gateway));
    await until(() => status() === 'live', 'live');
    feed.watch('decisions');
    await until(() => gateway.watched.length === 2 && gateway.streams === 1, 'the second stream');
    gateway.emit({ type: 'requests', requests: [record(1), record(2)], dropped: 3 });
    await until(() => batches.some((batch) => batch.requests.length === 2 && batch.dropped === 3), 'requests');
    feed.watch('decisions');
    feed.watch('off');
    await until(() => gateway.watched.length === 3 && gateway.streams === 1, 'the third stream');
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

test('a level asked for before the first stream is open takes effect', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, status } = watched(async () => {
      // Just before the stream opens with the current level.
      setImmediate(() => feed.watch('decisions'));
      return at(gateway);
    });
    await until(() => status() === 'live', 'live');
    await until(() => gateway.watched.at(-1) === '?requests=1&decisions=1' && gateway.streams === 1, 'the level');
    feed.close();
    await gateway.close();
  });
});

test('requests from before the stream began are delivered separately', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, batches, status } = watched(async () => at(gateway));
    feed.watch('decisions');
    await until(() => status() === 'live' && gateway.watched.at(-1) !== '', 'live');
    gateway.emit({ type: 'requests', requests: [record(1), record(2)], dropped: 0, recent: true });
    gateway.emit({ type: 'requests', requests: [record(3)], dropped: 0 });
    const ids = (kind: 'recent' | 'requests'): string[] => batches.flatMap((batch) => batch[kind].map(({ id }) => id));
    await until(() => ids('requests').length > 0, 'requests');
    assert.equal([ids('recent'), ids('requests')], [['req-1', 'req-2'], ['req-3']]);
    const first = batches.find(({ snapshot }) => snapshot !== undefined);
    assert.ok(Math.abs((first?.receivedAt ?? 0) - Date.now()) < 60_000, 'the snapshot says when it came');
    feed.close();
    await gateway.close();
  });
});

test('many events become few batches, and the number of pending requests is bounded', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, batches, status } = watched(async () => at(gateway), { batchMs: 100 });
    feed.watch('records');
    await until(() => status() === 'live' && gateway.watched.at(-1) !== '', 'live');
    await until(() => batches.length > 0, 'first batch');
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
    await until(() => sum() === 3_000 && fresh().some((batch) => batch.reloads.length === 1), 'all');
    assert.ok(fresh().length <= 10, `${fresh().length} batches`);
    assert.ok(fresh().every((batch) => batch.requests.length <= 1_000));
    feed.close();
    await gateway.close();
  });
});

test('a stream without events is reported, then closed', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, connections, status } = watched(async () => at(gateway), { silenceMs: [60, 2_000] });
    await until(() => status() === 'silent', 'silence');
    gateway.emit({ type: 'snapshot', snapshot: gateway.snapshot });
    await until(() => status() === 'live', 'live again');
    feed.close();
    const strict = watched(async () => at(gateway), { silenceMs: [30, 60] });
    await until(
      () => strict.connections.some((one) => one.status === 'lost' && /sent nothing/.test(one.reason)),
      'given up',
    );
    strict.feed.close();
    assert.ok(connections.length > 0);
    await gateway.close();
  });
});

test('reload needs a connection and uses it', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const { feed, status } = watched(async () => at(gateway));
    let refused = '';
    await feed.reload().catch((error: Error) => {
      refused = error.message;
    });
    assert.match(refused, /no connection/);
    await until(() => status() === 'live', 'live');
    assert.equal(await feed.reload(), gateway.reloadAnswer);
    feed.close();
    await gateway.close();
  });
});

test.run();
