/**
 * Claims the addresses that this gateway shares among its workers, against other gateways of the same user. With
 * SO_REUSEPORT these could join without an error, and a check of a port ends before the workers bind it. So each address is
 * claimed as long as it is live, also while no worker has bound it, and one gateway at a time checks a port.
 *
 * A claim is an abstract unix socket: the kernel gives a name to one process, frees it when that process ends in any way,
 * and has one set of names per network namespace, as for ports. Only Linux has them; elsewhere two gateways that start at
 * the same moment can share a port.
 */
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { splitAddress } from '../../proxy/downstream/address.js';
import { errnoCode } from '../../reason.js';

import { assertFree, listenError } from './addresses.js';

/** Milliseconds between two attempts to claim a port, and in total: a load takes far less. */
const RETRY_EVERY = 20;
const WAIT_FOR = 10_000;

/** Claims for a load. Either commit() or abandon() is called once. */
export interface NewClaims {
  /** The load is live: claims on `addresses` stay, others are released. */
  commit(addresses: readonly string[]): Promise<void>;
  abandon(): Promise<void>;
}

export class PortClaims {
  readonly #held = new Map<string, Server>();
  readonly #claim: (name: string) => Promise<Server | undefined>;

  /** @param claim claims a name for this process; resolves with undefined if it is taken. */
  constructor(claim: (name: string) => Promise<Server | undefined> = claimName) {
    this.#claim = claim;
  }

  /**
   * Claims addresses with fixed ports that will be shared. Those in `unbound` must be free.
   * @throws the error of listen(2) if one is not free, usually EADDRINUSE
   */
  async take(addresses: readonly string[], unbound: readonly string[]): Promise<NewClaims> {
    const turns: Server[] = [];
    const fresh = new Map<string, Server>();
    const abandon = (): Promise<void> => closeAll([...turns, ...fresh.values()]);
    try {
      // Always in the same order, to avoid a deadlock of two gateways.
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
    // No abstract sockets on this platform: nothing is claimed.
    if (process.platform !== 'linux') resolve(server);
    else server.listen(`\0gw/${process.getuid?.() ?? 0}/${name}`);
  });
}
