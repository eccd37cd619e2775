/**
 * Addresses that this gateway shares among its workers, claimed against other gateways of the same user. SO_REUSEPORT lets
 * these join without an error, and a look at whether a port is free ends before the workers bind it. So each address is
 * claimed for as long as it is live, also while no worker holds it, and each port is looked at by one gateway at a time.
 *
 * A claim is an abstract unix socket: the kernel gives a name to one process, ends it with that process however it dies,
 * and keeps one set of names in each network namespace, as it does for ports. Elsewhere than on Linux there are none, and
 * two gateways that start in the same moment are not told apart.
 */
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { splitAddress } from '../../proxy/downstream/listener.js';
import { errnoCode } from '../../reason.js';

import { assertFree, listenError } from './addresses.js';

/** Milliseconds between two attempts to get a port's turn, and how long it is waited for: a load takes far less. */
const RETRY_EVERY = 20;
const WAIT_FOR = 10_000;

/** Addresses that were claimed for a load. One of the two is called once. */
export interface NewClaims {
  /** The load is live: of what was claimed, `addresses` stay. */
  commit(addresses: readonly string[]): Promise<void>;
  abandon(): Promise<void>;
}

export class PortClaims {
  readonly #held = new Map<string, Server>();
  readonly #claim: (name: string) => Promise<Server | undefined>;

  /** @param claim takes a name for this process; undefined where it is taken. */
  constructor(claim: (name: string) => Promise<Server | undefined> = claimName) {
    this.#claim = claim;
  }

  /**
   * Claims addresses with fixed ports that will be shared; those that are `unbound` must be free.
   * @throws the error of listen(2) where one is taken, EADDRINUSE above all
   */
  async take(addresses: readonly string[], unbound: readonly string[]): Promise<NewClaims> {
    const turns: Server[] = [];
    const fresh = new Map<string, Server>();
    const abandon = (): Promise<void> => closeAll([...turns, ...fresh.values()]);
    try {
      // In one order, so that two gateways do not wait for each other.
      const unclaimed = [...new Set(addresses)].filter((address) => !this.#held.has(address));
      const ports = [...new Set([...unclaimed, ...unbound].map((address) => splitAddress(address).port))].sort(
        (a, b) => a - b,
      );
      for (const port of ports) turns.push(await this.#turn(port));
      await assertFree(unbound);
      for (const address of unclaimed) {
        const claim = await this.#claim(`address/${address}`);
        if (claim === undefined) throw listenError(address);
        fresh.set(address, claim);
      }
    } catch (error) {
      await abandon();
      throw error;
    }
    return {
      abandon,
      commit: async (live) => {
        for (const [address, claim] of fresh) this.#held.set(address, claim);
        await Promise.all([closeAll(turns), this.#keep(live)]);
      },
    };
  }

  async #turn(port: number): Promise<Server> {
    const deadline = performance.now() + WAIT_FOR;
    for (;;) {
      const turn = await this.#claim(`port/${port}`);
      if (turn !== undefined) return turn;
      if (performance.now() > deadline) throw listenError(`:${port}`);
      await delay(RETRY_EVERY);
    }
  }

  async #keep(live: readonly string[]): Promise<void> {
    const gone = [...this.#held].filter(([address]) => !live.includes(address));
    for (const [address] of gone) this.#held.delete(address);
    await closeAll(gone.map(([, claim]) => claim));
  }

  close(): Promise<void> {
    return this.#keep([]);
  }
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
}

function claimName(name: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy()).unref();
  return new Promise((resolve, reject) => {
    server.once('listening', () => resolve(server));
    server.once('error', (error) => {
      if (errnoCode(error) === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    // Not listening: there are no such names here, and nothing is claimed.
    if (process.platform !== 'linux') resolve(server);
    else server.listen(`\0gw/${process.getuid?.() ?? 0}/${name}`);
  });
}
