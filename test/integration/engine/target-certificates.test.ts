/** TLS towards targets: a certificate of gw, authorities and a name of their own, with real certificates. */
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Authorities, type Issued } from '../../support/authority.js';
import { Plane, specOf, until } from '../engine-kit.js';

const authorities = new Authorities();
const root = authorities.create('targets');
const middle = root.intermediate('targets-2');
const other = authorities.create('others');
const server = (authority: typeof root, name: string): Issued =>
  authority.issue(name, { extensions: [`subjectAltName=DNS:${name}`, 'extendedKeyUsage=serverAuth'] });
const internal = server(middle, 'orders.internal');
const [first, second] = [root.issue('gw-1'), root.issue('gw-2')];
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

interface Context {
  origin: Server;
  port: number;
  plane: Plane;
  /** Common names of the certificates of requests, and the names that gw asked for. */
  seen: string[];
  connections: number;
}
const test = suite<Context>('certificates towards targets');
test.after(() => authorities.remove());

test.before.each(async (context) => {
  context.seen = [];
  context.connections = 0;
  const note = (socket: TLSSocket): void => {
    context.seen.push(`${socket.getPeerCertificate().subject?.CN ?? 'none'} ${String(socket.servername)}`);
  };
  const options = { key: internal.key, cert: internal.cert + middle.cert, ca: root.cert, requestCert: true };
  context.origin = createServer({ ...options, rejectUnauthorized: false }, (request, response) => {
    note(request.socket as TLSSocket);
    response.end('hello');
  });
  context.origin.on('secureConnection', () => context.connections++);
  context.origin.on('upgrade', (request, socket) => {
    note(request.socket as TLSSocket);
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
  });
  await new Promise<void>((resolve) => context.origin.listen(0, '127.0.0.1', resolve));
  const address = context.origin.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  context.port = address.port;
  context.plane = await Plane.start(spec(context));
});
test.after.each(async ({ origin, plane }) => {
  await plane.close();
  origin.closeAllConnections();
  await new Promise((resolve) => origin.close(resolve));
});

const connectionsOf = (origin: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    origin.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });

interface Tls {
  readonly own?: Issued;
  readonly ca?: string;
  readonly name?: string;
  readonly more?: string;
}

function spec({ port }: Context, { own, ca = root.cert, name = 'orders.internal', more = '' }: Tls = {}): string {
  const lines = [
    ...(own === undefined ? [] : [`cert = ${JSON.stringify(own.cert)}`, `key = ${JSON.stringify(own.key)}`]),
    `ca = ${JSON.stringify(ca)}`,
    ...(name === '' ? [] : [`server_name = "${name}"`]),
  ];
  return specOf(`https://127.0.0.1:${port}`, { service: `retries = 0\n${more}\ntls = { ${lines.join(', ')} }` });
}

test('a target gets the certificate of gw, also with pipelining and for upgrades', async (context) => {
  const { plane, seen } = context;
  assert.is((await plane.ask(GET)).status, 200);
  await plane.load(spec(context, { own: first }));
  assert.is((await plane.ask(GET)).status, 200);
  assert.is((await plane.ask(GET.replace('\r\n\r\n', '\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n'))).status, 101);
  await plane.load(spec(context, { own: first, more: 'pipelining = 4' }));
  assert.is((await plane.ask(GET)).status, 200);
  assert.equal(seen, ['none orders.internal', ...Array(3).fill('gw-1 orders.internal')]);
});

test('a new certificate applies to the next request; an unrelated edit keeps the connections', async (context) => {
  const { plane, seen } = context;
  await plane.load(spec(context, { own: first }));
  for (const own of [first, first, second]) {
    await plane.load(spec(context, { own, more: `idle_timeout = "${seen.length + 10}s"` }));
    assert.is((await plane.ask(GET)).status, 200);
  }
  assert.equal(
    seen,
    ['gw-1', 'gw-1', 'gw-2'].map((name) => `${name} orders.internal`),
  );
  assert.is(context.connections, 2);
});

test('a new connection resumes the session of the last one, in TLS 1.2 and 1.3', async (context) => {
  const { plane, origin } = context;
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    origin.setSecureContext({ key: internal.key, cert: internal.cert + middle.cert, ca: root.cert, maxVersion });
    const reused: boolean[] = [];
    const note = (socket: TLSSocket): void => void reused.push(socket.isSessionReused());
    origin.on('secureConnection', note);
    origin.keepAliveTimeout = 1;
    await plane.load(spec(context, { own: maxVersion === 'TLSv1.2' ? first : second, more: 'idle_timeout = "1ms"' }));
    for (let i = 0; i < 3; i++) {
      assert.is((await plane.ask(GET)).status, 200);
      await until(async () => (await connectionsOf(origin)) === 0, 'the connection to close');
    }
    assert.equal(reused, [false, true, true], maxVersion);
    origin.off('secureConnection', note);
    // What was agreed on with other settings is not resumed.
    await plane.load(spec(context, { ca: other.cert }));
    assert.is((await plane.ask(GET)).status, 502);
  }
});

test('verify = false accepts every certificate, also for upgrades; host is what the spec says', async (context) => {
  const { plane, port, origin } = context;
  const hosts: (string | undefined)[] = [];
  for (const event of ['request', 'upgrade'])
    origin.on(event, ({ headers }: IncomingMessage) => hosts.push(headers.host));
  const service = 'retries = 0\nhost = "orders.example:8443"\ntls = { verify = false }';
  await plane.load(specOf(`https://127.0.0.1:${port}`, { service }));
  for (let i = 0; i < 3; i++) assert.is((await plane.ask(GET)).status, 200);
  assert.is((await plane.ask(GET.replace('\r\n\r\n', '\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n'))).status, 101);
  assert.equal(hosts, Array(4).fill('orders.example:8443'));
});

test('a target whose authority or name is another one gets nothing', async (context) => {
  const { plane, seen } = context;
  for (const [tls, cause] of [
    [{ ca: other.cert }, /issuer|self-signed/],
    [{ name: 'billing.internal' }, /name mismatch/],
    [{ name: '' }, /name mismatch/],
  ] as const) {
    await plane.load(spec(context, tls));
    assert.is((await plane.ask(GET)).status, 502);
    await plane.record(({ cause: why }) => cause.test(String(why)));
  }
  assert.equal(seen, []);
});

test('an authority that is not a root can be trusted on its own', async (context) => {
  await context.plane.load(spec(context, { ca: middle.cert }));
  assert.is((await context.plane.ask(GET)).status, 200);
});

test.run();
