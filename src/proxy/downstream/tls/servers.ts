/** The TLS servers for one server name: a certificate under a policy, with keys of tickets that no other name has. */
import { hkdfSync } from 'node:crypto';
import type { Server as TlsServer } from 'node:tls';
import type { TicketKeys } from '../../../state/ticket-keys.js';
import { TICKET_NAME_BYTES } from './client-hello.js';

/** Bytes that node:tls takes: the name of the key, then a key for HMAC and one for AES. */
const TICKET_KEY_BYTES = 48;

interface Epoch {
  readonly number: number;
  readonly keys: Buffer;
  server: TlsServer | undefined;
}

/**
 * A server for each epoch of ticket keys that is valid. node:tls knows a single key per server, so a client with a ticket of
 * the epoch before is given to a server with that key. A ticket of an earlier epoch, or of another name, policy or certificate,
 * is one that the server cannot read: the handshake goes on without it.
 */
export class SessionServers {
  readonly #create: (ticketKeys: Buffer) => TlsServer;
  /** What sessions belong to. Workers derive the same keys from it. */
  readonly #identity: string;
  #epochs: Epoch[] = [];

  constructor(create: (ticketKeys: Buffer) => TlsServer, identity: string) {
    this.#create = create;
    this.#identity = identity;
  }

  /** The server for a client that wants to resume with a ticket whose key has this name; undefined: with none. */
  serverFor(ticketName: Buffer | undefined, keys: TicketKeys): TlsServer {
    this.prune(keys);
    const [present, before] = this.#epochs;
    const named = ticketName !== undefined && before?.keys.subarray(0, TICKET_NAME_BYTES).equals(ticketName);
    const chosen = (named ? before : present)!;
    chosen.server ??= this.#create(chosen.keys);
    return chosen.server;
  }

  /** Forgets the keys of epochs that have ended, and their servers. */
  prune(keys: TicketKeys): void {
    const { epoch } = keys;
    if (this.#epochs[0]?.number === epoch) return;
    this.#epochs = [epoch, epoch - 1].flatMap((number) => {
      const known = this.#epochs.find((one) => one.number === number);
      const secret = known === undefined ? keys.secret(number) : undefined;
      return (
        known ?? (secret === undefined ? [] : { number, keys: derived(secret, this.#identity), server: undefined })
      );
    });
  }
}

function derived(secret: Buffer, identity: string): Buffer {
  const keys = Buffer.from(hkdfSync('sha256', secret, '', `gw tls ticket\n${identity}`, TICKET_KEY_BYTES));
  secret.fill(0);
  return keys;
}
