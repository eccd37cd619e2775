/** Two workers, threads with ports of their own, and the memory that they share: collapsed requests and invalidation. */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ContentSelector, ContentStore } from '../../../src/policies/contract.js';
import { MemoryContents } from '../../../src/state/content/memory/index.js';
import { allocateState } from '../../../src/state/memory.js';
import { until } from '../../support/until.js';
import { closeAll, closedLater, removeFolders } from '../control-kit.js';
import { FaultTarget, RawClient, type RawReply } from '../engine-kit.js';
import { type BuggyHost, buggyWorker, hostBuggyWorker } from '../worker-kit.js';
import { requestText, type Said, specOf, wire } from './kit.js';

const FRESH: Said = { fields: { 'cache-control': 'max-age=60', 'cache-tag': 'red' }, body: 'hello' };

class Bed {
  /** Requests that the origin has not answered. */
  readonly held: { readonly url: string; readonly socket: Socket }[] = [];
  readonly target: FaultTarget;
  readonly hosts: readonly BuggyHost[];
  readonly #control: ContentStore;
  readonly #clients: RawClient[] = [];

  private constructor(target: FaultTarget, hosts: readonly BuggyHost[], control: ContentStore) {
    this.target = target;
    this.hosts = hosts;
    this.#control = control;
    target.respond = ({ method, url }, socket) => {
      if (method === 'POST') socket.write(wire({}));
      else this.held.push({ url, socket });
    };
  }

  static async open(policy = ''): Promise<Bed> {
    const target = await FaultTarget.start();
    const memory = allocateState({ workers: 2, small: true });
    const spec = specOf(target.url, `[policy.c]\nuse = "cache"\n${policy}`, 'policies = ["c"]\n');
    const hosts: BuggyHost[] = [];
    for (const worker of [0, 1]) {
      const host = await hostBuggyWorker(buggyWorker('[]'), spec, { memory, worker });
      closedLater({ close: () => host.host.close() });
      hosts.push(host);
    }
    closedLater(target);
    const [cache] = hosts[0]!.identities;
    return new Bed(
      target,
      hosts,
      new MemoryContents(memory.content!, Date.now).store(cache!, { maxEntry: 0, disk: false }),
    );
  }

  /** A request to a worker, on a connection of its own. */
  ask(worker: number, path = '/a', method = 'GET', fields = {}): RawClient {
    const client = new RawClient(connect(Number(this.hosts[worker]!.url.split(':').at(-1)), '127.0.0.1'));
    this.#clients.push(client);
    client.send(requestText(path, fields, method));
    return client;
  }

  /** Several requests to each worker, the first of which has reached the origin, and all of which have reached gw. */
  async crowd(count: number, path = '/a'): Promise<RawClient[]> {
    const first = this.ask(0, path);
    await until(() => this.held.some(({ url }) => url === path), 'the first request at the origin');
    const others = Array.from({ length: count - 1 }, (_, at) => this.ask((at + 1) % 2, path));
    await this.settle();
    return [first, ...others];
  }

  /** What was sent to a worker before is there: it takes requests in their order. */
  async settle(): Promise<void> {
    for (const worker of [0, 1])
      for (let times = 0; times < 2; times++) {
        const path = `/settle-${worker}-${times}-${this.target.arrived.length}`;
        const client = this.ask(worker, path);
        await until(() => this.held.some(({ url }) => url === path), 'a later request at the origin');
        this.answer(path);
        await client.reply();
      }
  }

  /** The oldest held request for a path is answered. */
  answer(path = '/a', said: Said = FRESH): void {
    this.release(path).write(wire(said));
  }

  release(path = '/a'): Socket {
    const at = this.held.findIndex(({ url }) => url === path);
    assert.ok(at >= 0, `no request for ${path} is held`);
    return this.held.splice(at, 1)[0]!.socket;
  }

  asked(path = '/a'): number {
    return this.target.arrived.filter(({ url, method }) => url === path && method === 'GET').length;
  }

  async purge(selector: ContentSelector, soft = false): Promise<void> {
    await this.#control.purge(selector, soft);
  }

  leave(): void {
    for (const client of this.#clients) client.destroy();
  }
}

const test = suite<{ bed: Bed }>('a cache in two workers');
test.before.each(async (context) => {
  context.bed = await Bed.open();
});
test.after.each(async ({ bed }) => {
  bed.leave();
  await closeAll();
});
test.after(removeFolders);

const textOf = ({ body }: RawReply): string => body.toString();
const repliesTo = (clients: readonly RawClient[]): Promise<RawReply[]> =>
  Promise.all(clients.map((client) => client.reply()));

test('requests in both workers cause one request to the origin: its worker streams, the other waits for the store', async ({
  bed,
}) => {
  const clients = await bed.crowd(20);
  assert.is(bed.asked(), 1);
  const socket = bed.release();
  const whole = wire({ fields: { 'cache-control': 'max-age=60' }, body: 'halfrest' });
  socket.write(whole.subarray(0, -4));
  for (const [at, client] of clients.entries()) {
    if (at === 0 || at % 2 === 0) await until(() => client.pending.endsWith('half'), 'half of the body');
    else assert.is(client.pending, '');
  }
  socket.write('rest');
  const replies = await repliesTo(clients);
  assert.ok(replies.every((reply) => textOf(reply) === 'halfrest'));
  assert.is(bed.asked(), 1);
  const statuses = replies.map((reply) => reply.header('cache-status')!);
  assert.is(statuses.filter((status) => status.includes('collapsed')).length, 9);
  assert.is(statuses.filter((status) => status.includes('hit')).length, 10);
});

test('a private reply: all others go to the origin at once, in both workers', async ({ bed }) => {
  const clients = await bed.crowd(10);
  const own: Said = { fields: { 'cache-control': 'private' }, body: 'own' };
  bed.answer('/a', own);
  await until(() => bed.asked() === 10, 'the other requests, side by side');
  for (let rest = 9; rest > 0; rest--) bed.answer('/a', own);
  assert.ok((await repliesTo(clients)).every((reply) => textOf(reply) === 'own'));
});

test('a reply that is shared and not stored: each worker asks once', async ({ bed }) => {
  await bed.purge({ by: 'all' });
  const clients = await bed.crowd(10);
  const socket = bed.release();
  // Longer than half of the memory: the store does not take it.
  const length = 3 * 1024 * 1024;
  const head = `HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: ${length}\r\n\r\n`;
  socket.write(head);
  await until(() => bed.asked() === 2, 'a request of the other worker, before the end of the first body');
  const other = bed.release();
  other.write(head);
  for (const one of [socket, other]) one.write(Buffer.alloc(length, 'x'));
  assert.ok((await repliesTo(clients)).every(({ body }) => body.length === length));
  assert.is(bed.asked(), 2);
});

test('the first client leaves: one request of the other worker takes its place', async ({ bed }) => {
  const first = bed.ask(0);
  await until(() => bed.held.length === 1, 'the request at the origin');
  const others = Array.from({ length: 8 }, () => bed.ask(1));
  await bed.settle();
  assert.is(bed.asked(), 1);
  first.socket.resetAndDestroy();
  await until(() => bed.asked() === 2, 'another request at the origin');
  await bed.settle();
  bed.release();
  bed.answer();
  assert.ok((await repliesTo(others)).every((reply) => textOf(reply) === 'hello'));
  assert.is(bed.asked(), 2);
});

for (const [what, invalidate] of [
  ['an unsafe method', (bed: Bed) => bed.ask(1, '/a', 'POST').reply()],
  ['a purge by URL', (bed: Bed) => bed.purge({ by: 'url', value: `http://a.example/a` })],
  ['a purge by prefix', (bed: Bed) => bed.purge({ by: 'url', value: 'http://a.example/*' })],
  ['a purge by route', (bed: Bed) => bed.purge({ by: 'route', value: 'all' })],
  ['a purge of everything', (bed: Bed) => bed.purge({ by: 'all' })],
  ['a soft purge', (bed: Bed) => bed.purge({ by: 'route', value: 'all' }, true)],
] as const)
  test(`${what}: later requests in both workers do not wait for the reply that is on its way`, async ({ bed }) => {
    const early = await bed.crowd(4);
    await invalidate(bed);
    const later = [bed.ask(0), bed.ask(1), bed.ask(0), bed.ask(1)];
    await until(() => bed.asked() === 2, 'a request of those that came later');
    await bed.settle();
    assert.is(bed.asked(), 2, 'one for both workers');
    const old = bed.release();
    bed.answer('/a', { ...FRESH, body: 'new' });
    assert.ok((await repliesTo(later)).every((reply) => textOf(reply) === 'new'));
    old.write(wire({ ...FRESH, body: 'old' }));
    // Those of before may have either.
    assert.is(textOf(await early[0]!.reply()), 'old');
    await repliesTo(early.slice(1));
    for (const worker of [0, 1, 0, 1]) assert.is(textOf(await bed.ask(worker).reply()), 'new');
    assert.is(bed.asked(), 2);
  });

test('a purge by tag while the body comes: later requests do not join', async ({ bed }) => {
  const early = await bed.crowd(4);
  const old = bed.release();
  const whole = wire({ ...FRESH, body: 'older' });
  old.write(whole.subarray(0, -1));
  await until(() => early[2]!.pending.endsWith('olde'), 'the body in the first worker');
  await bed.purge({ by: 'tag', value: 'red' });
  const later = bed.ask(0);
  await until(() => bed.asked() === 2, 'its own request');
  bed.answer('/a', { ...FRESH, body: 'new' });
  assert.is(textOf(await later.reply()), 'new');
  old.write('r');
  assert.is(textOf(await early[0]!.reply()), 'older');
  for (const worker of [0, 1]) assert.is(textOf(await bed.ask(worker).reply()), 'new');
  assert.is(bed.asked(), 2);
});

test('a 304 from before a soft purge does not end it in the other worker', async ({ bed }) => {
  const said: Said = { fields: { 'cache-control': 'max-age=60', etag: '"1"' }, body: 'old' };
  const first = bed.ask(0);
  await until(() => bed.held.length === 1, 'the first request');
  bed.answer('/a', said);
  await first.reply();
  const validating = bed.ask(0, '/a', 'GET', { 'cache-control': 'no-cache' });
  await until(() => bed.held.length === 1, 'the validation');
  await bed.purge({ by: 'all' }, true);
  bed.answer('/a', { ...said, status: 304, body: '' });
  assert.is(textOf(await validating.reply()), 'old');
  const later = bed.ask(1);
  await until(() => bed.held.length === 1, 'a further validation');
  assert.is(bed.target.arrived.at(-1)!.header('if-none-match'), '"1"');
  bed.answer('/a', { ...said, body: 'new', fields: { ...said.fields, etag: '"2"' } });
  assert.is(textOf(await later.reply()), 'new');
});

test.run();
