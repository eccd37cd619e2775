/** The grpc-web library in headless Chromium, against a server of @grpc/grpc-js: binary and text, of the own origin and another one. */
import { join } from 'node:path';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Plane, specOf, until } from '../integration/engine-kit.js';
import { Chromium, chromiumPath } from '../support/chromium.js';
import { ECHO_INITIAL, ECHO_TRAILING } from '../support/grpc/messages.js';
import { GrpcTarget } from '../support/grpc/target.js';

const path = chromiumPath();
const [CERT, KEY] = ['cert', 'key'].map((name) => join(process.cwd(), `test/integration/fixtures/tls-${name}.pem`));

const SECURE = `tls = { cert = ${JSON.stringify(CERT)}, key = ${JSON.stringify(KEY)} }`;

/** Pages are of localhost, and call 127.0.0.1. */
const more = (scheme: string): string => `
[policy.web]
use = "grpc-web"
[policy.pages]
use = "cors"
origins = ["*"]
methods = ["POST"]
headers = ["content-type", "x-grpc-web", "x-user-agent", "grpc-timeout", "${ECHO_INITIAL}", "${ECHO_TRAILING}"]
expose = ["grpc-status", "grpc-message", "${ECHO_INITIAL}", "${ECHO_TRAILING}"]
[policy.keys]
use = "api-key"
[consumer.c]
api_keys = ["sha256:${'0'.repeat(64)}"]
[[route]]
match = "/page"
reply = { body = "<p>${scheme}", headers = { content-type = "text/html" } }
[[route]]
match = "POST /test.Service/Empty"
to = "it"
policies = ["pages", "keys", "web"]
`;

/** Calls of each kind; what came of them is JSON. */
const CLIENT = `
import { GrpcWebClientBase, MethodDescriptor } from 'grpc-web';
const encode = (value) => new TextEncoder().encode(JSON.stringify(value));
const decode = (bytes) => JSON.parse(new TextDecoder().decode(bytes));
const method = (name, kind) => new MethodDescriptor('/test.Service/' + name, kind, Object, Object, encode, decode);
export function leave(base) {
  const client = new GrpcWebClientBase({ format: 'text' });
  globalThis.pending = client.rpcCall(base + '/test.Service/Unary', {}, {}, method('Unary', 'unary'), () => {});
}
export async function calls(base, format) {
  const client = new GrpcWebClientBase({ format });
  const unary = (name, ask, metadata = {}) => new Promise((resolve) => {
    const got = {};
    const call = client.rpcCall(base + '/test.Service/' + name, ask, metadata, method(name, 'unary'), (error, answer) => {
      if (error) Object.assign(got, { code: error.code, message: error.message, metadata: error.metadata });
      else got.answer = answer;
      setTimeout(() => resolve(got), 100);
    });
    call.on('metadata', (fields) => (got.initial = fields));
    call.on('status', (status) => (got.status = status));
  });
  const list = (ask) => new Promise((resolve) => {
    const got = { sizes: [], events: [] };
    const call = client.serverStreaming(base + '/test.Service/List', ask, {}, method('List', 'server_streaming'));
    call.on('data', ({ payload }) => got.sizes.push(payload.length));
    for (const event of ['error', 'status']) call.on(event, ({ code }) => got.events.push(event + ' ' + code));
    call.on('end', () => resolve(got));
  });
  return JSON.stringify({
    unary: await unary('Unary', { payload: 'abc', sizes: [100000] }, { '${ECHO_INITIAL}': 'i', '${ECHO_TRAILING}': 'AAE=' }),
    failed: await unary('Unary', { status: { code: 5, message: 'not here: ☺' } }),
    list: format === 'text' ? await list({ sizes: [31415, 9, 2653, 58979] }) : undefined,
    refused: await unary('Empty', {}),
    unknown: await unary('Unknown', {}),
  });
}`;

async function bundled(): Promise<string> {
  const stdin = { contents: CLIENT, resolveDir: process.cwd() };
  const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'iife', globalName: 'web' });
  return outputFiles[0]!.text;
}

interface Call {
  readonly answer?: { readonly total: number; readonly payload: string };
  readonly initial?: { readonly [name: string]: string };
  readonly status?: { readonly code: number; readonly metadata: { readonly [name: string]: string } };
  readonly code?: number;
  readonly message?: string;
}

interface Calls {
  readonly unary: Call;
  readonly failed: Call;
  readonly list?: unknown;
  readonly refused: Call;
  readonly unknown: Call;
}

function check({ unary, failed, list, refused, unknown }: Calls, format: string): void {
  assert.equal([unary.answer?.total, unary.answer?.payload.length], [3, 100_000]);
  assert.is(unary.initial?.[ECHO_INITIAL], 'i');
  assert.is(unary.status?.code, 0);
  assert.is(unary.status?.metadata[ECHO_TRAILING], 'AAE=');
  assert.equal([failed.code, failed.message], [5, 'not here: ☺']);
  if (format === 'text') assert.equal(list, { sizes: [31_415, 9, 2_653, 58_979], events: ['status 0'] });
  assert.is(refused.code, 16);
  assert.is(unknown.code, 12);
}

if (path === undefined) console.log('no Chromium: skipped');
else
  for (const scheme of ['http', 'https'])
    test(`calls over ${scheme}`, async () => {
      const target = await GrpcTarget.start();
      const service = 'protocol = "h2"\non_client_close = "cancel"';
      const listener = scheme === 'https' ? SECURE : '';
      const route = 'policies = ["pages", "web"]';
      const plane = await Plane.start(specOf(target.url, { listener, service, route, more: more(scheme) }));
      const browser = await Chromium.start(path);
      try {
        const script = await bundled();
        for (const host of ['127.0.0.1', 'localhost']) {
          const tab = await browser.tab(`${scheme}://${host}:${plane.port}/page`);
          await tab.value(`${script}\nglobalThis.web = web; 0`);
          for (const format of ['text', 'binary']) {
            const base = `${scheme}://127.0.0.1:${plane.port}`;
            const result = String(await tab.value(`web.calls('${base}', '${format}')`));
            check(JSON.parse(result) as Calls, format);
          }
          target.gate = new Promise(() => undefined);
          const before = target.calls.length;
          await tab.value(`web.leave('${scheme}://127.0.0.1:${plane.port}'); 0`);
          const call = await until(() => target.calls[before], 'the call');
          await tab.value('pending.cancel(); 0');
          await call.untilCancelled;
          target.gate = Promise.resolve();
        }
        assert.ok(
          target.calls.every(({ metadata }) => String(metadata.get('user-agent')).startsWith('grpc-web-javascript/')),
        );
      } finally {
        await browser.close();
        await plane.close();
        target.close();
      }
    });

test.run();
