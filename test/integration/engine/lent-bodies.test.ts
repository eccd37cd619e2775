/** Reply bodies that are only lent. */
import * as assert from 'uvu/assert';
import type { PolicyInstance } from '../../../src/policies/contract.js';
import { BytesReply, HeaderMap, LentBytes } from '../../../src/policies/run-kit.js';
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

test.run();
