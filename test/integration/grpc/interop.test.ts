/** gRPC through gw: every kind of call, with and without TLS on both sides. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { resolveReferences } from '../../../src/bundle/references.js';
import { GrpcClient } from '../../support/grpc/client.js';
import { INTEROP } from '../../support/grpc/interop.js';
import { GrpcTarget } from '../../support/grpc/target.js';
import { Plane, specOf } from '../engine-kit.js';

const CERT = join(process.cwd(), 'test/integration/fixtures/tls-cert.pem');
const KEY = join(process.cwd(), 'test/integration/fixtures/tls-key.pem');

interface World {
  plain: GrpcTarget;
  secure: GrpcTarget;
  plane: Plane;
  clients: GrpcClient[];
}

const test = suite<World>('gRPC interoperability');

const SIDES = [
  ['http', 'plain', 'http', 'without TLS'],
  ['http', 'secure', 'https', 'without TLS, to a target with TLS'],
  ['https', 'plain', 'http', 'with TLS, to a target without'],
  ['https', 'secure', 'https', 'with TLS on both sides'],
] as const;

test.before(async (world) => {
  const tls = { cert: readFileSync(CERT), key: readFileSync(KEY) };
  world.plain = await GrpcTarget.start();
  world.secure = await GrpcTarget.start(tls);
  const spec = `
spec = 1
[listener.http]
address = "127.0.0.1:0"
[listener.https]
address = "127.0.0.1:0"
tls = { cert = "${CERT}", key = "${KEY}" }
[service.plain]
targets = ["${world.plain.url}"]
protocol = "h2"
[service.secure]
targets = ["${world.secure.url}"]
protocol = "h2"
tls = { ca = ["\${file:${CERT}}"] }
[[route]]
name = "plain"
match = { host = "plain.localhost", path = "/{rest...}" }
to = "plain"
[[route]]
name = "secure"
match = { host = "secure.localhost", path = "/{rest...}" }
to = "secure"
`;
  world.plane = await Plane.start(specOf(world.plain.url));
  await world.plane.load(spec, (program) => resolveReferences(program, () => tls.cert.toString()));
  world.clients = SIDES.map(([listener, target]) => {
    const [http, https] = world.plane.ports;
    const authority = `${target}.localhost`;
    return new GrpcClient(listener === 'http' ? http! : https!, {
      authority,
      ...(listener === 'http' ? {} : { ca: tls.cert }),
    });
  });
});

test.after(async ({ plane, plain, secure, clients }) => {
  for (const client of clients ?? []) client.close();
  await plane.close();
  plain.close();
  secure.close();
});

for (const [at, [, , , what]] of SIDES.entries())
  for (const kind of Object.keys(INTEROP))
    test(`${kind} ${what}`, async ({ clients }) => {
      await INTEROP[kind]!(clients[at]!);
    });

test.run();
