/** Exchanges that go on without their client, because a policy asked for it. */
import * as assert from 'uvu/assert';
import type { Exchange, PolicyInstance } from '../../../src/policies/contract.js';
import { say } from '../../support/fault-target.js';
import { withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import { specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('left clients');

const POST = 'POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody';

/** A policy that wants to know what becomes of a request. */
class Watcher {
  readonly seen: string[] = [];
  /** Whether a target may have got something, as of the end. */
  sent: boolean | undefined;
  readonly policy: PolicyInstance;

  constructor({ lasting = true, stage = false } = {}) {
    const { seen } = this;
    this.policy = {
      onRequestBody: (exchange: Exchange) => {
        exchange.lasting = lasting;
        return undefined;
      },
      after: (_exchange, { status, code }) => void seen.push(`reply ${code ?? status}`),
      ...(stage
        ? {
            replyStage: (_exchange, _reply, out) => ({
              observes: true,
              write(bytes) {
                seen.push(`part ${Buffer.from(bytes).toString()}`);
                return out.write(bytes);
              },
              end() {
                seen.push('whole');
                out.end();
              },
              abort() {
                seen.push('cut');
              },
            }),
          }
        : {}),
      finished: (exchange, end) => {
        this.sent = exchange.sent;
        seen.push(end);
      },
    };
  }
}

async function load({ plane, target }: EngineContext, { policy }: Watcher, listener = ''): Promise<void> {
  const body = { request: { max: 1000, mandatory: false } };
  await plane.load(specOf(target.url, { listener }), withPolicies([{ run: policy, body }]));
}

/** A client that sends a request and leaves when the target has it. */
async function leave({ plane, target }: EngineContext): Promise<void> {
  const client = plane.client();
  client.send(POST);
  await until(() => target.arrived.length === 1, 'the request');
  client.socket.resetAndDestroy();
  await until(() => plane.connections === 0, 'the client has left');
}

for (const stage of [false, true]) {
  test(`the reply is read after its client has left ${stage ? 'with' : 'without'} a stage`, async (context) => {
    const watcher = new Watcher({ stage });
    context.target.respond = () => {};
    await load(context, watcher);
    await leave(context);
    context.target.arrived[0]!.socket.write('HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nmade');
    await until(() => watcher.seen.includes('aborted'), 'the end of the exchange');
    assert.equal(watcher.seen, stage ? ['reply 201', 'part made', 'whole', 'aborted'] : ['reply 201', 'aborted']);
    assert.is(watcher.sent, true);
    const record = await context.plane.record(({ url }) => url === '/x');
    assert.equal([record.error, record.status], ['downstream/aborted', 201]);
    context.target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    assert.is((await context.plane.ask(POST)).body.toString(), 'ok');
    assert.is(context.target.connections, 1, 'the connection to the target is used again');
  });
}

test('a client that leaves within the reply: the rest is read', async (context) => {
  const watcher = new Watcher({ stage: true });
  context.target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
  await load(context, watcher);
  const client = context.plane.client();
  client.send(POST);
  await until(() => client.pending.endsWith('half'), 'half of the reply');
  client.socket.resetAndDestroy();
  await until(() => context.plane.connections === 0, 'the client has left');
  context.target.arrived[0]!.socket.write('rest');
  await until(() => watcher.seen.includes('aborted'), 'the end of the exchange');
  assert.equal(watcher.seen, ['reply 200', 'part half', 'part rest', 'whole', 'aborted']);
});

test('a client that reads nothing of its reply: the rest is read without it', async (context) => {
  const big = 16 * 1024 * 1024;
  const watcher = new Watcher();
  context.target.respond = (_request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${big}\r\n\r\n`);
    socket.write(Buffer.alloc(big, 'y'));
  };
  await load(context, watcher, 'min_body_rate = "0B"\nbody_timeout = "400ms"');
  const client = context.plane.client();
  client.socket.pause();
  client.send(POST);
  const { error, status } = await context.plane.record(({ url }) => url === '/x');
  assert.equal([error, status], ['downstream/slow', 200]);
  assert.equal(watcher.seen, ['reply 200', 'aborted']);
  assert.is(context.target.open, 1, 'the connection to the target is used again');
  client.destroy();
});

test('an exchange without its client ends with its target, and at its deadline', async (context) => {
  for (const ends of ['target', 'deadline']) {
    const watcher = new Watcher();
    context.target.respond = () => {};
    context.target.arrived.length = 0;
    await load(context, watcher);
    await leave(context);
    if (ends === 'target') context.target.arrived[0]!.socket.destroy();
    else context.time.pass(61_000);
    await until(() => watcher.seen.length === 2, 'the end of the exchange');
    assert.is(watcher.seen[0], ends === 'target' ? 'reply upstream/reset' : 'reply exchange/timeout');
  }
});

test('without `lasting` the exchange ends with its client', async (context) => {
  const watcher = new Watcher({ lasting: false });
  context.target.respond = () => {};
  await load(context, watcher);
  await leave(context);
  await until(() => watcher.seen.length > 0, 'the end of the exchange');
  assert.equal(watcher.seen, ['aborted']);
  await until(() => context.target.open === 0, 'the connection to the target is closed');
});

test('nothing was sent if no target can be reached', async (context) => {
  const watcher = new Watcher();
  await load(context, watcher);
  await context.target.close();
  const reply = await context.plane.ask(POST);
  assert.is(reply.status, 502);
  assert.equal(watcher.seen, ['reply upstream/unreachable', 'sent']);
  assert.is(watcher.sent, false);
});

test.run();
