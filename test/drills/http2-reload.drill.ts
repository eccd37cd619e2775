/**
 * Clients with many requests at a time lose none while listener settings are reloaded, listeners come and go, and connections
 * reach max_requests_per_connection: each ends in two steps (RFC 9113 section 6.8).
 */
import { type ClientHttp2Session, connect } from 'node:http2';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Plane, specOf } from '../integration/engine-kit.js';
import { FaultTarget } from '../support/fault-target.js';

const LASTS = 6000;
const CLIENTS = 4;
const AT_ONCE = 16;

/** A target that needs a moment. */
const target = (): Promise<FaultTarget> =>
  FaultTarget.start((request, socket) =>
    setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), request.index % 3),
  );

interface Tally {
  served: number;
  sessions: number;
  readonly lost: string[];
}

/** Sends requests until `until`; a session that is about to close gets no more of them. */
async function load(port: number, until: number, tally: Tally): Promise<void> {
  let session: ClientHttp2Session | undefined;
  const usable = async (): Promise<ClientHttp2Session> => {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    tally.sessions++;
    const next = connect(`http://127.0.0.1:${port}`);
    next.on('error', (error) => tally.lost.push(`session: ${error.message}`));
    session = next;
    return next;
  };
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      const stream = (await usable()).request({ ':path': '/a' });
      const status = await new Promise<number>((resolve) => {
        let got = 0;
        stream.on('response', (fields) => {
          got = Number(fields[':status']);
        });
        stream.on('error', (error) => tally.lost.push(error.message));
        stream.on('close', () => resolve(got));
        stream.resume();
      });
      if (status === 200) tally.served++;
      else tally.lost.push(`status ${status}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  session?.close();
}

test('no request is lost while settings change and connections end', async () => {
  const origin = await target();
  const spec = (round: number): string =>
    specOf(origin.url, {
      listener: `max_requests_per_connection = ${200 + (round % 3) * 50}\nmax_header = "${16 + round}KiB"\nidle_timeout = "${1 + (round % 2)}s"`,
      more: round % 2 === 0 ? '' : '[listener.other]\naddress = "127.0.0.1:0"',
    });
  const plane = await Plane.start(spec(0), { monotonic: () => performance.now() });
  const { port } = plane;
  const tally: Tally = { served: 0, sessions: 0, lost: [] };
  const until = performance.now() + LASTS;
  const clients = Promise.all(Array.from({ length: CLIENTS }, () => load(port, until, tally)));
  for (let round = 1; performance.now() < until; round++) {
    await delay(150);
    await plane.load(spec(round));
    assert.is(plane.port, port);
  }
  await clients;
  console.log(`${tally.served} requests on ${tally.sessions} connections`);
  assert.equal(tally.lost, []);
  assert.ok(tally.sessions > CLIENTS * 2, `${tally.sessions} connections`);
  const drained = await plane.plane.drain(5000);
  assert.is(drained.cut, 0);
  await plane.close();
  await origin.close();
});

test.run();
