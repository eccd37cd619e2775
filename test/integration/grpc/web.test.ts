/** gRPC-Web through the gateway to a server of @grpc/grpc-js. */
import * as assert from 'uvu/assert';
import { type Answer, type Ask, ECHO_INITIAL, ECHO_TRAILING, METHODS } from '../../support/grpc/messages.js';
import { fromBase64, grpcFrame, readGrpcFrames } from '../../support/grpc-frames.js';
import { grpcSuite } from './kit.js';

const test = grpcSuite('gRPC-Web to grpc-js', { route: 'policies = [{ use = "grpc-web" }]' });

const BINARY = 'application/grpc-web+proto';
const TEXT = 'application/grpc-web-text';

async function call(port: number, path: string, ask: Ask, type: string, fields: { [name: string]: string } = {}) {
  const message = grpcFrame(JSON.stringify(ask));
  const body = type === TEXT ? message.toString('base64') : message;
  const headers = { 'content-type': type, 'x-grpc-web': '1', 'x-user-agent': 'web/1', ...fields };
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body });
  const bytes = Buffer.from(await reply.arrayBuffer());
  const { messages, trailers } = readGrpcFrames(type === TEXT ? fromBase64(bytes.toString()) : bytes);
  return { reply, trailers, answers: messages.map((text) => JSON.parse(text) as Answer) };
}

for (const type of [BINARY, TEXT]) {
  test(`${type}: a unary call with metadata and a deadline`, async ({ world: { plane, target } }) => {
    const metadata = { [ECHO_INITIAL]: 'i', [ECHO_TRAILING]: 'AAE=', 'grpc-timeout': '20S' };
    const ask = { payload: 'abc', sizes: [100_000] };
    const { reply, trailers, answers } = await call(plane.port, METHODS.unary.path, ask, type, metadata);
    assert.is(reply.status, 200);
    assert.is(reply.headers.get(ECHO_INITIAL), 'i');
    assert.equal([answers[0]?.total, answers[0]?.payload?.length], [3, 100_000]);
    assert.match(trailers ?? '', /^grpc-status: 0\r\n/m);
    assert.match(trailers ?? '', new RegExp(`^${ECHO_TRAILING}: AAE=\r\n`, 'm'));
    const [served] = target.calls;
    assert.ok(served!.left! <= 20_000 && served!.left! > 0);
    assert.match(String(served!.metadata.get('user-agent')), /^web\/1/);
  });

  test(`${type}: server streaming, and errors`, async ({ world: { plane } }) => {
    const sizes = [31_415, 0, 2_653, 58_979];
    const list = await call(plane.port, METHODS.list.path, { sizes }, type);
    assert.equal(
      list.answers.map(({ payload }) => payload?.length),
      sizes,
    );
    assert.match(list.trailers ?? '', 'grpc-status: 0');
    const failed = await call(plane.port, METHODS.unary.path, { status: { code: 5, message: 'not here: ☺' } }, type);
    assert.is(failed.reply.headers.get('grpc-status'), '5');
    assert.is(failed.reply.headers.get('grpc-message'), 'not%20here:%20%E2%98%BA');
    assert.equal(failed.answers, []);
  });
}

test.run();
