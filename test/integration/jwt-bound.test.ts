/** Tokens that are bound to a client certificate, RFC 8705, with real certificates and connections. */
import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Authorities, type Issued } from '../support/authority.js';
import { Issuer } from '../support/issuer.js';
import { closeAll, removeFolders, SpecFile, startGateway, startOrigin } from './control-kit.js';

const FIXTURES = join(process.cwd(), 'test/integration/fixtures');
const authorities = new Authorities();
const root = authorities.create('root');
const [client, other] = [root.issue('client'), root.issue('other')];
let issuer: Issuer;
test.before(async () => {
  issuer = await Issuer.start();
});
test.after.each(closeAll);
test.after(async () => {
  await issuer.close();
  authorities.remove();
  removeFolders();
});

const thumbprint = ({ cert }: Issued): string =>
  Buffer.from(new X509Certificate(cert).fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');

const specOf = (target: string, more = ''): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
tls = { cert = "${FIXTURES}/tls-cert.pem", key = "${FIXTURES}/tls-key.pem", client_ca = ${JSON.stringify(root.cert)}, client_certificate = "optional" }
[service.orders]
targets = ["${target}"]
[policy.tokens]
use = "jwt"
jwks = "${issuer.url}/keys"
issuer = "${issuer.url}"
audience = "orders"
${more}
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = ["tokens"]
`;

function send(port: number, token: string, certificate: Issued | undefined): Promise<number> {
  const own = certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key };
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const options = {
      port,
      host: '127.0.0.1',
      path: '/orders',
      headers,
      rejectUnauthorized: false,
      agent: false as const,
    };
    request({ ...options, ...own }, (reply) => {
      reply.resume();
      resolve(reply.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

test('a bound token passes only on a connection with its certificate, also when it was verified before', async () => {
  const origin = await startOrigin();
  const { port } = await startGateway({ spec: new SpecFile(specOf(origin.url)).path });
  const bound = await issuer.token({ cnf: { 'x5t#S256': thumbprint(client) } });
  const free = await issuer.token();
  for (let i = 0; i < 2; i++) {
    assert.is(await send(port, bound, client), 200);
    assert.is(await send(port, bound, other), 401);
    assert.is(await send(port, bound, undefined), 401);
    assert.is(await send(port, free, undefined), 200);
    assert.is(await send(port, free, other), 200);
  }
});

test('with bindings = "ignore" every bearer may use it', async () => {
  const origin = await startOrigin();
  const { port } = await startGateway({ spec: new SpecFile(specOf(origin.url, 'bindings = "ignore"')).path });
  const bound = await issuer.token({ cnf: { 'x5t#S256': thumbprint(client) } });
  assert.is(await send(port, bound, undefined), 200);
});

test.run();
