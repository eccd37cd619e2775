/**
 * The last call before sockets of listeners close. The kernel resets connections that it has accepted and the process has not,
 * so the sockets stay open until no connection has come for a while.
 */
import type { Listener } from './listener.js';

/**
 * Consecutive checks without a new connection that end a last call, and its longest wait in milliseconds. A check takes a turn
 * of the event loop, plus a millisecond if the one before it found no connection. Checks are counted rather than timed, since a
 * blocked thread has not checked. There are many of them, since a busy machine may keep a packet for more than ten milliseconds.
 */
const QUIET_CHECKS = 50;
const LONGEST_WAIT = 500;

/**
 * Resolves when probably no connection waits in the kernel's queues of the listeners, or at once when `over()` is true.
 * Listeners that hold their connections make it short: clients that are served would come again.
 */
export async function lastCall(
  listeners: readonly Pick<Listener, 'accepted'>[],
  over: () => boolean = () => false,
): Promise<void> {
  const count = (): number => listeners.reduce((sum, { accepted }) => sum + accepted, 0);
  let before = count();
  for (let waits = 0, quiet = 0; quiet < QUIET_CHECKS && waits < LONGEST_WAIT && !over(); ) {
    if (quiet > 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      waits++;
    }
    // Timers run before the event loop polls for connections, and it accepts one connection per turn.
    await new Promise((resolve) => setImmediate(resolve));
    const now = count();
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
}
