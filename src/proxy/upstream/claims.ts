/**
 * Who may have one more of a target's connections while few are left: one client address holds no more than a share of
 * them, and requests whose bodies have not all come, which take as long as their clients do, no more than three quarters.
 * Who holds how many is only counted while so many are in use that a share could be exceeded.
 */
import type { ServiceEntry } from '../../bundle/types.js';
import type { ReplyConnection } from './reply-connection.js';
import type { UpstreamUser } from './user.js';

/** Of a target's connections, what is left to requests that have come whole. */
const WHOLE_SHARE = 1 / 4;

/** What a connection counts as, while it is held. */
export interface Claim {
  /** The client address that holds it; '' where that is not counted. */
  client: string;
  /** Its request's body has not all come. */
  partial: boolean;
}

export class Claims {
  /** Connections that there may be. */
  most = 0;
  /** Those that one address may have. */
  mostOfOne = 0;
  /** Those that requests whose bodies have not all come may have. */
  mostPartial = 0;
  /** Those that they have. */
  partial = 0;
  readonly #connections: Iterable<ReplyConnection>;
  #byClient: Map<string, number> | undefined = undefined;

  constructor(connections: Iterable<ReplyConnection>) {
    this.#connections = connections;
  }

  configure(most: number, { maxSharePerAddress }: ServiceEntry): void {
    this.most = most;
    this.mostOfOne = most - Math.floor((most * (100 - maxSharePerAddress)) / 100);
    this.mostPartial = most - Math.floor(most * WHOLE_SHARE);
    this.#byClient = undefined;
  }

  /** Whether `user` may have one more where `busy` are in use. */
  allow(user: UpstreamUser, busy: number): boolean {
    if (user.streams && this.partial >= this.mostPartial) return false;
    return busy < this.mostOfOne || this.of(user.clientKey) < this.mostOfOne;
  }

  /** How many an address has. From now on that is counted. */
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

  /** `user` has got a connection. */
  took({ claim }: ReplyConnection, user: UpstreamUser): void {
    if (user.streams) {
      claim.partial = true;
      this.partial++;
    }
    if (this.#byClient === undefined) return;
    const client = user.clientKey;
    claim.client = client;
    this.#byClient.set(client, (this.#byClient.get(client) ?? 0) + 1);
  }

  /** The rest of the body has come. */
  whole({ claim }: ReplyConnection): void {
    if (!claim.partial) return;
    claim.partial = false;
    this.partial--;
  }

  /** A connection is not held any more. */
  freed(connection: ReplyConnection): void {
    this.whole(connection);
    const { claim } = connection;
    const { client } = claim;
    if (client === '') return;
    claim.client = '';
    const left = (this.#byClient?.get(client) ?? 0) - 1;
    if (left > 0) this.#byClient?.set(client, left);
    else this.#byClient?.delete(client);
  }

  /** Called a few times a second: counts no more where few of the connections are in use. */
  sweep(busy: number): void {
    if (busy < this.mostOfOne / 2) this.#byClient = undefined;
  }
}
