/** A policy with both kinds of reply hooks chooses one for each reply; a stage names a body that it cannot read. */
import * as assert from 'uvu/assert';
import type { Exchange, PolicyInstance, Reply, StageOut } from '../../../src/policies/contract.js';
import { withPolicies } from '../../support/test-policies.js';
import { specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('stages that a policy chooses');

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const BODY = { reply: { max: 4, mandatory: false } };

/** Writes the whole body in capitals, or each part in brackets. */
const both = (wanted: boolean | 'stream'): PolicyInstance => ({
  readsReply: () => wanted,
  onReplyBody: (_exchange: Exchange, _reply: Reply, body: Uint8Array) =>
    Buffer.from(Buffer.from(body).toString().toUpperCase()),
  replyStage: (_exchange: Exchange, _reply: Reply, out: StageOut) => ({
    write: (bytes) => out.write(Buffer.from(`[${Buffer.from(bytes).toString()}]`)),
    end: () => out.end(),
    abort() {},
  }),
});

test('with `stream` the body reaches the stage alone, beyond the bound of collected bodies', async (context) => {
  const { plane, target } = context;
  target.respond = (_request, socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef');
  for (const [wanted, status, body] of [
    ['stream', 200, '[abcdef]'],
    [true, 502, undefined],
    [false, 200, 'abcdef'],
  ] as const) {
    await plane.load(specOf(target.url, {}), withPolicies([{ body: BODY, run: both(wanted) }]));
    const reply = await plane.ask(GET);
    assert.is(reply.status, status, String(wanted));
    if (body !== undefined) assert.is(reply.body.toString(), body);
  }
});

/** Cannot read what it gets. */
const refusing: PolicyInstance = {
  replyStage: (_exchange: Exchange, _reply: Reply, out: StageOut) => ({
    write() {
      out.refuse('not an event');
      return true;
    },
    end() {},
    abort() {},
  }),
};

test('a reply that its stage cannot read gives 502 if nothing of it was sent', async (context) => {
  const { plane, target } = context;
  target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n');
  };
  await plane.load(specOf(target.url, {}), withPolicies([{ name: 'reader', run: refusing }]));
  assert.is((await plane.ask(GET)).status, 502);
  const record = await plane.record(({ status }) => status === 502);
  assert.equal([record.error, record.cause], ['upstream/unreadable', 'policy reader: not an event']);
});

test.run();
