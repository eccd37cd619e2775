/**
 * Shares of a target's connections when they run short. One client address gets at most a share of them, and requests with
 * incomplete bodies, which take as long as their clients do, at most three quarters. Connections are counted per address only
 * while so many are in use that a share could be exceeded.
 */
import type { ServiceEntry } from '../../bundle/types.js';

/** Share of a target's connections that is reserved for requests with complete bodies. */
const WHOLE_SHARE = 1 / 4;

/** What a used connection counts as. */
export interface Claim {
  /** The client address that uses it; '' while addresses are not counted. */
  client: string;
  /** Its request's body is incomplete. */
  partial: boolean;
}

/** An exchange that wants a connection. */
interface Claimant {
  readonly clientKey: string;
  readonly streams: boolean;
}

interface ClaimedConnection {
  readonly claim: Claim;
  readonly user: Claimant | null;
}

export class Claims {
  /** Bound of all connections. */
  most = 0;
  /** Bound for one address. */
  mostOfOne = 0;
  /** Bound for requests with incomplete bodies. */
  mostPartial = 0;
  /** Connections of requests with incomplete bodies. */
  partial = 0;
  readonly #connections: Iterable<ClaimedConnection>;
  #byClient: Map<string, number> | undefined = undefined;

  constructor(connections: Iterable<ClaimedConnection>) {
    this.#connections = connections;
  }

  configure(most: number, { maxSharePerAddress }: ServiceEntry): void {
    this.most = most;
    this.mostOfOne = most - Math.floor((most * (100 - maxSharePerAddress)) / 100);
    this.mostPartial = most - Math.floor(most * WHOLE_SHARE);
    this.#byClient = undefined;
  }

  /** Whether `user` may get one more connection while `busy` are in use. */
  allow(user: Claimant, busy: number): boolean {
    if (user.streams && this.partial >= this.mostPartial) return false;
    return busy < this.mostOfOne || this.of(user.clientKey) < this.mostOfOne;
  }

  /** Connections of an address. Starts counting per address. */
  of(client: string): number {
    this.#byClient ??= this.#count();
    return this.#byClient.get(client) ?? 0;
  }

  #count(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { claim, user } of this.#connections) {
      claim.client = user === null ? '' : user.clientKey;
      if (user !== null) counts.set(claim.client, (counts.get(claim.client) ?? 0) + 1);
    }
    return counts;
  }

  /** `user` got the connection. */
  took({ claim }: ClaimedConnection, user: Claimant): void {
    if (user.streams) {
      claim.partial = true;
      this.partial++;
    }
    if (this.#byClient === undefined) return;
    const client = user.clientKey;
    claim.client = client;
    this.#byClient.set(client, (this.#byClient.get(client) ?? 0) + 1);
  }

  /** The request body of the connection is complete. */
  whole({ claim }: ClaimedConnection): void {
    if (!claim.partial) return;
    claim.partial = false;
    this.partial--;
  }

  /** The connection is free again. */
  freed(connection: ClaimedConnection): void {
    this.whole(connection);
    const { claim } = connection;
    const { client } = claim;
    if (client === '') return;
    claim.client = '';
    const left = (this.#byClient?.get(client) ?? 0) - 1;
    if (left > 0) this.#byClient?.set(client, left);
    else this.#byClient?.delete(client);
  }

  /** Called a few times a second: stops counting per address when few connections are in use. */
  sweep(busy: number): void {
    if (busy < this.mostOfOne / 2) this.#byClient = undefined;
  }
}
