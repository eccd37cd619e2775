/** A running gateway replaces the keys of its session tickets in time. */
import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TICKET_PERIOD_MS } from '../../src/state/ticket-keys.js';
import type { After } from '../../src/state/timers.js';
import { closeAll, removeFolders, SpecFile, startGateway } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const FIXTURES = join(process.cwd(), 'test/integration/fixtures');
const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:0"
tls = { cert = "${FIXTURES}/tls-cert.pem", key = "${FIXTURES}/tls-key.pem" }
[[route]]
name = "hello"
match = "GET /"
reply = { body = "hello" }
`;

/** Timers that run when the test says so. */
class Timers {
  readonly pending: { readonly ms: number; readonly work: () => void }[] = [];

  readonly after: After = (ms, work) => {
    const timer = { ms, work };
    this.pending.push(timer);
    return () => void this.pending.splice(this.pending.indexOf(timer), 1);
  };

  pass(): void {
    this.pending.shift()?.work();
  }
}

/** Begins or resumes a session of TLS 1.2: it is known when the handshake is over. */
async function visit(port: number, session?: Buffer): Promise<{ readonly resumed: boolean; readonly session: Buffer }> {
  const options = { port, host: '127.0.0.1', servername: 'gateway.test', rejectUnauthorized: false };
  const socket = connect({ ...options, maxVersion: 'TLSv1.2', ...(session === undefined ? {} : { session }) });
  await once(socket, 'secureConnect');
  const got = { resumed: socket.isSessionReused(), session: socket.getSession()! };
  socket.destroy();
  return got;
}

test('keys are replaced every six hours, and those of the period before are still known', async () => {
  const timers = new Timers();
  const { port, gateway } = await startGateway({
    spec: new SpecFile(SPEC).path,
    inline: true,
    ticketTimer: timers.after,
  });
  const periods = (): number[] => timers.pending.map(({ ms }) => ms);
  assert.equal(periods(), [TICKET_PERIOD_MS]);
  assert.is(TICKET_PERIOD_MS, 6 * 3_600_000);
  const { session } = await visit(port);
  assert.ok((await visit(port, session)).resumed);
  timers.pass();
  assert.ok((await visit(port, session)).resumed, 'after one period');
  timers.pass();
  const late = await visit(port, session);
  assert.not(late.resumed, 'after two');
  assert.ok((await visit(port, late.session)).resumed);
  assert.equal(periods(), [TICKET_PERIOD_MS]);
  await gateway.close();
  assert.equal(periods(), [], 'closed with the gateway');
});

test.run();
