/**
 * Opens TLS 1.3 connections one after the other on each of `concurrency` lanes, and closes each after its handshake: `{port, seconds,
 * concurrency, resume}`. With `resume`, all of a lane resume the session of its first one, which does not count.
 *
 * Prints `{"done", "bad", "seconds"}`. `done` counts connections that the server has closed in turn, so that it has finished its
 * part of the handshake; `bad` those that failed, and handshakes of the other kind.
 */
import { connect, createSecureContext } from 'node:tls';

interface Task {
  readonly port: number;
  readonly seconds: number;
  readonly concurrency: number;
  readonly resume: boolean;
}

/** Milliseconds for one handshake. */
const TIMEOUT = 5000;

const task: Task = JSON.parse(process.argv[2] ?? '{}');
const secureContext = createSecureContext({ minVersion: 'TLSv1.3', ecdhCurve: 'X25519' });
let done = 0;
let bad = 0;
let until = Number.POSITIVE_INFINITY;

/** One connection. Resolves when it has ended, with a session if it `asks` for one. */
function shake(session: Buffer | undefined, asks: boolean): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let reused: boolean | undefined;
    let given: Buffer | undefined;
    const socket = connect({
      port: task.port,
      host: '127.0.0.1',
      servername: 'localhost',
      rejectUnauthorized: false,
      secureContext,
      ...(session === undefined ? {} : { session }),
    });
    socket.setTimeout(TIMEOUT, () => socket.destroy());
    socket.on('secureConnect', () => {
      reused = socket.isSessionReused();
      if (!asks) socket.end();
    });
    if (asks)
      socket.on('session', (one: Buffer) => {
        given = one;
        socket.end();
      });
    socket.on('error', () => {
      reused = undefined;
      socket.destroy();
    });
    socket.on('close', () => {
      if (reused === (session !== undefined)) done++;
      else bad++;
      resolve(given);
    });
    socket.resume();
  });
}

async function lane(session: Buffer | undefined): Promise<void> {
  while (performance.now() < until) await shake(session, false);
}

const sessions = await Promise.all(
  Array.from({ length: task.concurrency }, () => (task.resume ? shake(undefined, true) : undefined)),
);
done = 0;
const start = performance.now();
until = start + task.seconds * 1000;
await Promise.all(sessions.map(lane));
console.log(JSON.stringify({ done, bad, seconds: (performance.now() - start) / 1000 }));
process.exit();
