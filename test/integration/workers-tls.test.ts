/** TLS sessions across worker threads: a session that one of them began resumes with the other. */
import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { test as always } from 'uvu';
import * as assert from 'uvu/assert';
import { whyNoSharing } from '../../src/control/ports/addresses.js';
import { onlyWhere } from '../support/only-where.js';
import { closeAll, removeFolders, SpecFile, startGateway } from './control-kit.js';
import { RawClient } from './engine-kit.js';

const why = whyNoSharing();
const test = onlyWhere(why === undefined, `workers cannot share ports here: ${why}`, always);
always.after.each(closeAll);
always.after(removeFolders);

const FIXTURES = join(process.cwd(), 'test/integration/fixtures');
const SPEC = `spec = 1
workers = 2
[listener.main]
address = "127.0.0.1:0"
tls = { cert = "${FIXTURES}/tls-cert.pem", key = "${FIXTURES}/tls-key.pem" }
[[route]]
name = "hello"
match = "GET /"
reply = { body = "hello" }
`;

interface Visit {
  readonly worker: string;
  readonly resumed: boolean;
  readonly session: Buffer | undefined;
}

async function visit(
  port: number,
  maxVersion: 'TLSv1.2' | 'TLSv1.3',
  session: Buffer | undefined,
  servername = 'gateway.test',
): Promise<Visit> {
  const resumed = session === undefined ? {} : { session };
  const options = { port, host: '127.0.0.1', servername, rejectUnauthorized: false };
  const socket = connect({ ...options, maxVersion, ...resumed });
  let next: Buffer | undefined;
  socket.on('session', (given) => {
    next = given;
  });
  await once(socket, 'secureConnect');
  const client = new RawClient(socket);
  client.send('GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n');
  const reply = await client.reply();
  const reused = socket.isSessionReused();
  client.destroy();
  const worker = String(reply.header('x-request-id')).split('-')[0] ?? '';
  return { worker, resumed: reused, session: next };
}

test('a session resumes with another worker, and under another name with none, in TLS 1.2 and 1.3', async () => {
  const { port } = await startGateway({ spec: new SpecFile(SPEC).path });
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await visit(port, version, undefined);
    assert.not(first.resumed);
    let others = 0;
    // The kernel chooses the worker of each connection.
    for (let i = 0; i < 200 && others < 2; i++) {
      const { resumed, worker } = await visit(port, version, first.session);
      assert.ok(resumed, `${version}, visit ${i}`);
      if (worker !== first.worker) others++;
    }
    assert.is(others, 2, 'connections to the other worker');
    const seen = new Set<string>();
    for (let i = 0; i < 200 && seen.size < 2; i++) {
      const { resumed, worker } = await visit(port, version, first.session, 'other.test');
      assert.not(resumed, `${version}, another name of the same certificate`);
      seen.add(worker);
    }
    assert.is(seen.size, 2);
  }
});

always.run();
