/** The TLS servers for one certificate under one policy. */
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
 * the epoch before is given to a server with that key. A ticket of an earlier epoch, or of another policy or certificate, is
 * one that the server cannot read: the handshake goes on without it.
 */
export class CertificateServers {
  readonly #create: (ticketKeys: Buffer | undefined) => TlsServer;
  /** What sessions belong to: policy and certificate have keys of their own. Undefined: sessions are not resumed. */
  readonly #identity: string | undefined;
  /** The server if sessions are not resumed. */
  #single: TlsServer | undefined;
  #epochs: Epoch[] = [];

  /** Throws what `create` throws for a certificate or key that is not valid. */
  constructor(create: (ticketKeys: Buffer | undefined) => TlsServer, identity: string | undefined, keys: TicketKeys) {
    this.#create = create;
    this.#identity = identity;
    this.serverFor(undefined, keys);
  }

  /** The server for a client that wants to resume with a ticket whose key has this name; undefined: with none. */
  serverFor(ticketName: Buffer | undefined, keys: TicketKeys): TlsServer {
    if (this.#identity === undefined) {
      this.#single ??= this.#create(undefined);
      return this.#single;
    }
    const { epoch } = keys;
    if (this.#epochs[0]?.number !== epoch) this.#renew(keys, this.#identity);
    const [present, before] = this.#epochs;
    const named = ticketName !== undefined && before?.keys.subarray(0, TICKET_NAME_BYTES).equals(ticketName);
    const chosen = (named ? before : present)!;
    chosen.server ??= this.#create(chosen.keys);
    return chosen.server;
  }

  /** Forgets the keys of epochs that have ended. */
  prune(keys: TicketKeys): void {
    if (this.#identity !== undefined && this.#epochs[0]?.number !== keys.epoch) this.#renew(keys, this.#identity);
  }

  #renew(keys: TicketKeys, identity: string): void {
    const { epoch } = keys;
    this.#epochs = [epoch, epoch - 1].flatMap((number) => {
      const known = this.#epochs.find((one) => one.number === number);
      const secret = known === undefined ? keys.secret(number) : undefined;
      return known ?? (secret === undefined ? [] : { number, keys: derived(secret, identity), server: undefined });
    });
  }
}

function derived(secret: Buffer, identity: string): Buffer {
  const keys = Buffer.from(hkdfSync('sha256', secret, '', `gw tls ticket\n${identity}`, TICKET_KEY_BYTES));
  secret.fill(0);
  return keys;
}
