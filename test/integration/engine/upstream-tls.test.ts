/** HTTPS targets: requests are sent only if the certificate is trusted. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ServedGateway } from '../../support/gw-process.js';

const CERT = join(process.cwd(), 'test/integration/fixtures/tls-cert.pem');
const KEY = join(process.cwd(), 'test/integration/fixtures/tls-key.pem');

interface Context {
  origin: Server;
  port: number;
  asked: string[];
  connections: number;
  spec: string;
}
const test = suite<Context>('https targets');

test.before.each(async (context) => {
  context.asked = [];
  context.connections = 0;
  context.origin = createServer({ cert: readFileSync(CERT), key: readFileSync(KEY) }, (request, response) => {
    context.asked.push(
      `${request.method} ${request.url} ${'servername' in request.socket ? request.socket.servername : ''}`,
    );
    request.on('data', () => {});
    request.on('end', () => response.end(`secret ${request.url}`));
  });
  context.origin.on('secureConnection', () => context.connections++);
  await new Promise<void>((resolve) => context.origin.listen(0, '127.0.0.1', resolve));
  const address = context.origin.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  context.port = address.port;
  context.spec = join(tmpdir(), `gw-tls-${process.pid}-${address.port}.toml`);
});
test.after.each(async ({ origin, spec }) => {
  rmSync(spec, { force: true });
  origin.closeAllConnections();
  await new Promise((resolve) => origin.close(resolve));
});

function specFor({ port, spec }: Context, host: string): readonly string[] {
  writeFileSync(
    spec,
    `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.plain]
targets = ["https://${host}:${port}"]
retries = 0
[service.shared]
targets = ["https://${host}:${port}"]
retries = 0
pipelining = 8
[[route]]
name = "plain"
match = "/plain/{rest...}"
to = "plain"
[[route]]
name = "shared"
match = "/shared/{rest...}"
to = "shared"
`,
  );
  return [spec, '--no-watch', '--no-access-log'];
}

test('a trusted certificate: requests are sent and the connection is kept', async (context) => {
  const gateway = await ServedGateway.start(specFor(context, 'localhost'), { env: { NODE_EXTRA_CA_CERTS: CERT } });
  try {
    for (const route of ['plain', 'shared']) {
      for (let i = 0; i < 3; i++) {
        const reply = await fetch(`${gateway.url}/${route}/${i}`);
        assert.is(reply.status, 200);
        assert.is(await reply.text(), `secret /${route}/${i}`);
      }
      const posted = await fetch(`${gateway.url}/${route}/post`, { method: 'POST', body: 'x'.repeat(100_000) });
      assert.is(await posted.text(), `secret /${route}/post`);
    }
    assert.is(context.connections, 3);
    assert.is(context.asked[0], 'GET /plain/0 localhost');
  } finally {
    await gateway.stop();
  }
});

test('a certificate that is untrusted or for another name: 502, and nothing is sent', async (context) => {
  for (const [host, env] of [
    ['127.0.0.2', { NODE_EXTRA_CA_CERTS: CERT }],
    ['localhost', {}],
  ] as const) {
    const { origin } = context;
    // Listen on every loopback address, so that only the name matters.
    origin.closeAllConnections();
    await new Promise((resolve) => origin.close(resolve));
    await new Promise<void>((resolve) => origin.listen(context.port, resolve));
    const gateway = await ServedGateway.start(specFor(context, host), { env });
    try {
      for (const route of ['plain', 'shared']) {
        const reply = await fetch(`${gateway.url}/${route}/x`);
        assert.is(reply.status, 502);
        assert.is(JSON.parse(await reply.text()).type, 'urn:gw:problem:upstream/unreachable');
      }
    } finally {
      await gateway.stop();
    }
  }
  assert.equal(context.asked, []);
});

test.run();
