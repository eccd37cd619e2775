/** The kinds of call that gRPC's interoperability tests name, with the sizes that they use. */
import { status } from '@grpc/grpc-js';
import * as assert from 'uvu/assert';
import type { GrpcClient } from './client.js';
import { ECHO_INITIAL, ECHO_TRAILING, METHODS, UNKNOWN_METHOD, UNKNOWN_SERVICE } from './messages.js';

const REQUESTS = [27_182, 8, 1_828, 45_904];
const REPLIES = [31_415, 9, 2_653, 58_979];
const SPECIAL = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
const text = (size: number): string => 'x'.repeat(size);

async function echoes(client: GrpcClient): Promise<void> {
  const bytes = Buffer.from([0xab, 0xab, 0xab]);
  const metadata = { [ECHO_INITIAL]: 'test_initial_metadata_value', [ECHO_TRAILING]: bytes };
  const one = await client.unary({ payload: text(271_828), sizes: [314_159] }, { metadata });
  assert.is(one.code, status.OK);
  assert.equal(one.initial?.get(ECHO_INITIAL), ['test_initial_metadata_value']);
  assert.equal(one.trailing.get(ECHO_TRAILING), [bytes]);
  const chat = client.chat({ metadata });
  chat.call.write({ payload: text(271_828), sizes: [314_159] });
  chat.call.end();
  assert.equal((await chat.initial).get(ECHO_INITIAL), ['test_initial_metadata_value']);
  assert.equal((await chat.end).metadata.get(ECHO_TRAILING), [bytes]);
  assert.is(chat.messages.length, 1);
}

export const INTEROP: { readonly [kind: string]: (client: GrpcClient) => Promise<void> } = {
  async empty_unary(client) {
    const { code, answer } = await client.unary({}, {}, METHODS.empty);
    assert.equal([code, answer], [status.OK, {}]);
  },
  async large_unary(client) {
    const { answer } = await client.unary({ payload: text(271_828), sizes: [314_159] });
    assert.equal([answer?.total, answer?.payload?.length], [271_828, 314_159]);
  },
  async client_streaming(client) {
    const { total } = await client.collect(REQUESTS.map((size) => ({ payload: text(size) })));
    assert.is(total, 74_922);
  },
  async server_streaming(client) {
    const list = client.list({ sizes: REPLIES });
    assert.is((await list.end).code, status.OK);
    assert.equal(
      list.messages.map(({ payload }) => payload?.length),
      REPLIES,
    );
  },
  async ping_pong(client) {
    const chat = client.chat();
    for (const [at, size] of REPLIES.entries()) {
      chat.call.write({ payload: text(REQUESTS[at]!), sizes: [size] });
      await chat.count(at + 1);
    }
    chat.call.end();
    assert.is((await chat.end).code, status.OK);
    assert.equal(
      chat.messages.map(({ payload }) => payload?.length),
      REPLIES,
    );
    assert.equal(
      chat.messages.map(({ total }) => total),
      REQUESTS,
    );
  },
  async empty_stream(client) {
    const chat = client.chat();
    chat.call.end();
    assert.equal([(await chat.end).code, chat.messages.length], [status.OK, 0]);
  },
  async cancel_after_begin(client) {
    const { call, end } = client.collecting();
    call.cancel();
    assert.is((await end).code, status.CANCELLED);
  },
  async cancel_after_first_response(client) {
    const chat = client.chat();
    chat.call.write({ payload: text(27_182), sizes: [31_415] });
    await chat.count(1);
    chat.call.cancel();
    assert.is((await chat.end).code, status.CANCELLED);
  },
  async timeout_on_sleeping_server(client) {
    const chat = client.chat({ timeout: 20 });
    chat.call.write({ payload: text(27_182) });
    assert.is((await chat.end).code, status.DEADLINE_EXCEEDED);
  },
  async status_code_and_message(client) {
    const given = { code: status.UNKNOWN, message: 'test status message' };
    const one = await client.unary({ status: given });
    assert.equal([one.code, one.details], [given.code, given.message]);
    const chat = client.chat();
    chat.call.write({ status: given });
    chat.call.end();
    const { code, details } = await chat.end;
    assert.equal([code, details], [given.code, given.message]);
  },
  async special_status_message(client) {
    const { code, details } = await client.unary({ status: { code: status.UNKNOWN, message: SPECIAL } });
    assert.equal([code, details], [status.UNKNOWN, SPECIAL]);
  },
  async unimplemented_method(client) {
    assert.is((await client.unary({}, {}, UNKNOWN_METHOD)).code, status.UNIMPLEMENTED);
  },
  async unimplemented_service(client) {
    assert.is((await client.unary({}, {}, UNKNOWN_SERVICE)).code, status.UNIMPLEMENTED);
  },
  custom_metadata: echoes,
};
