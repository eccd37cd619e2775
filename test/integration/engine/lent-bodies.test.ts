/** Reply bodies that are only lent, and replies that are read on without their client. */
import * as assert from 'uvu/assert';
import type { BodyStage, PolicyInstance, StageOut } from '../../../src/policies/contract.js';
import { BytesReply, HeaderMap, LentBytes } from '../../../src/policies/run-kit.js';
import { say } from '../../support/fault-target.js';
import { withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import { specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('lent bodies');

const ask = (path = '/', method = 'GET'): string => `${method} ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`;

const load = ({ plane, target }: EngineContext, ...policies: PolicyInstance[]): Promise<void> =>
  plane.load(specOf(target.url), withPolicies(policies.map((run) => ({ run }))));

/** Bytes in shared memory, in parts, which a policy lends to each reply. */
class Lender {
  readonly parts: Buffer[];
  readonly whole: Buffer;
  lent = 0;
  back = 0;

  constructor(...sizes: number[]) {
    this.whole = Buffer.from(new SharedArrayBuffer(sizes.reduce((sum, size) => sum + size, 0)));
    for (let at = 0; at < this.whole.length; at++) this.whole[at] = at % 251;
    let end = 0;
    this.parts = sizes.map((size) => {
      end += size;
      return this.whole.subarray(end - size, end);
    });
  }

  readonly policy: PolicyInstance = {
    before: () => {
      this.lent++;
      const body = new LentBytes(this.parts, this.whole.length, () => {
        this.back++;
      });
      return Object.assign(new BytesReply(200, { headers: new HeaderMap([['x-a', '1']]) }), { body });
    },
  };
}

for (const sizes of [[0], [5], [3, 4], [100_000], [9000, 1, 80_000]]) {
  test(`a lent body of ${sizes.join(' + ')} bytes is sent and given back`, async (context) => {
    const lender = new Lender(...sizes);
    await load(context, lender.policy);
    const client = context.plane.client();
    for (let round = 1; round <= 3; round++) {
      client.send(ask());
      const reply = await client.reply();
      assert.is(reply.header('content-length'), String(lender.whole.length));
      assert.ok(reply.body.equals(lender.whole));
      await until(() => lender.back === round, 'the bytes are given back');
    }
    client.send(ask('/', 'HEAD'));
    const head = await client.reply({ head: true });
    assert.is(head.header('content-length'), String(lender.whole.length));
    assert.is(lender.back, 4);
    client.destroy();
  });
}

test('a lent body is given back only when the client has read it', async (context) => {
  const lender = new Lender(16 * 1024 * 1024);
  await load(context, lender.policy);
  const client = context.plane.client();
  client.socket.pause();
  client.send(ask());
  await until(() => lender.lent === 1, 'the reply');
  const other = await context.plane.ask(ask());
  assert.ok(other.body.equals(lender.whole));
  assert.is(lender.back, 1);
  client.socket.resume();
  assert.ok((await client.reply()).body.equals(lender.whole));
  await until(() => lender.back === 2, 'the bytes are given back');
  client.destroy();
});

test('a lent body of a client that leaves is given back', async (context) => {
  const lender = new Lender(16 * 1024 * 1024);
  await load(context, lender.policy);
  const client = context.plane.client();
  client.socket.pause();
  client.send(ask());
  await until(() => lender.lent === 1, 'the reply');
  client.destroy();
  await until(() => lender.back === 1, 'the bytes are given back');
});

test('a lent body passes the stages of outer policies', async (context) => {
  const lender = new Lender(70_000, 30_000);
  const seen: number[] = [];
  const outer: PolicyInstance = {
    replyStage: (_exchange, _reply, out) => ({
      write(bytes) {
        seen.push(bytes.length);
        return out.write(bytes);
      },
      end: (trailers) => out.end(trailers),
      abort() {},
    }),
  };
  await load(context, outer, lender.policy);
  const reply = await context.plane.ask(ask());
  assert.ok(reply.body.equals(lender.whole));
  assert.equal(
    seen.reduce((sum, length) => sum + length, 0),
    100_000,
  );
  assert.is(lender.back, 1);
});

test('a lent body that another policy replaces is given back', async (context) => {
  const lender = new Lender(10);
  const outer: PolicyInstance = { after: () => new BytesReply(200, { body: 'other' }) };
  await load(context, outer, lender.policy);
  assert.is((await context.plane.ask(ask())).body.toString(), 'other');
  assert.is(lender.back, 1);
});

// ---------------------------------------------------------------- replies without their client

/** A stage that keeps what it sees, and wants the rest if `lasts`. */
class Keeper implements BodyStage {
  readonly observes = true;
  lasts: boolean;
  kept = '';
  ended = false;
  aborted = '';
  readonly #out: StageOut;

  constructor(out: StageOut, lasts: boolean) {
    this.#out = out;
    this.lasts = lasts;
  }

  write(bytes: Uint8Array): boolean {
    this.kept += Buffer.from(bytes).toString();
    return this.#out.write(bytes);
  }

  end(): void {
    this.ended = true;
    this.#out.end();
  }

  abort(cause: string): void {
    this.aborted = cause;
  }
}

async function leaveMidway(context: EngineContext, lasts: boolean) {
  const { plane, target } = context;
  const ends: string[] = [];
  let keeper: Keeper | undefined;
  target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
  await load(context, {
    replyStage: (_exchange, _reply, out) => (keeper = new Keeper(out, lasts)),
    finished: (_exchange, end) => void ends.push(end),
  });
  const client = plane.client();
  client.send(ask());
  await until(() => client.pending.endsWith('half'), 'half of the reply');
  client.socket.resetAndDestroy();
  await until(() => ends.length === 1, 'the end of the exchange');
  assert.equal(ends, ['aborted']);
  return keeper!;
}

test('a stage that wants it gets the rest of a reply whose client has left', async (context) => {
  const keeper = await leaveMidway(context, true);
  assert.is(keeper.aborted, '');
  context.target.arrived[0]!.socket.write('rest');
  await until(() => keeper.ended, 'the end of the body');
  assert.is(keeper.kept, 'halfrest');
  assert.is(keeper.aborted, '');
  // The connection to the target is used again.
  assert.is((await context.plane.record(({ url }) => url === '/')).error, 'downstream/aborted');
  context.target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.is((await context.plane.ask(ask())).body.toString(), 'ok');
  assert.is(context.target.connections, 1);
});

test('a reply without its client ends with its target', async (context) => {
  const keeper = await leaveMidway(context, true);
  context.target.arrived[0]!.socket.destroy();
  await until(() => keeper.aborted !== '', 'the end of the body');
  assert.not(keeper.ended);
});

test('a reply without its client ends at the deadline of its exchange', async (context) => {
  const keeper = await leaveMidway(context, true);
  context.time.pass(61_000);
  await until(() => keeper.aborted !== '', 'the end of the body');
  assert.is(keeper.aborted, 'exchange timeout');
  await until(() => context.target.open === 0, 'the connection to the target is closed');
});

test('a reply without its client ends with the gateway, after a drain', async (context) => {
  const keeper = await leaveMidway(context, true);
  const report = await context.plane.plane.drain(50);
  assert.is(report.cut, 0);
  await context.plane.close();
  assert.is(keeper.aborted, 'the gateway has stopped');
});

test('without such a stage the reply ends with its client', async (context) => {
  const keeper = await leaveMidway(context, false);
  await until(() => keeper.aborted !== '', 'the end of the body');
  await until(() => context.target.open === 0, 'the connection to the target is closed');
});

test.run();
