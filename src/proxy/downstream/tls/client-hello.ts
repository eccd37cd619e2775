/**
 * The first message of a TLS handshake (RFC 8446 section 4.1.2), read before OpenSSL gets it: the policy of a connection is
 * chosen by it. Only what gw chooses by is read; OpenSSL checks the rest. A message that cannot be read counts as one that says
 * nothing, and OpenSSL refuses it.
 */

/** Largest message in bytes; those of browsers have at most 2 KiB. */
export const MAX_HELLO = 32 * 1024;
/** Most records that it may be split into: each one more is a look at all of them. */
const MAX_RECORDS = 32;
/** The name of a ticket's key: the first bytes of a ticket that OpenSSL made (RFC 5077 section 4). */
export const TICKET_NAME_BYTES = 16;

export interface ClientHello {
  /** SNI in lower case, without a final dot; undefined for none. */
  readonly serverName: string | undefined;
  /** ALPN offers the protocol of the ACME challenge TLS-ALPN-01 (RFC 8737). */
  readonly challenge: boolean;
  /** The name of the key of the ticket that it wants to resume with; undefined for none. */
  readonly ticketName: Buffer | undefined;
}

const NOTHING: ClientHello = { serverName: undefined, challenge: false, ticketName: undefined };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEAD = 5;
const MESSAGE_HEAD = 4;
/** Most bytes in a record (RFC 8446 section 5.1). */
const MAX_RECORD = 16_384;
const RANDOM_BYTES = 32;

const SERVER_NAME = 0;
const ALPN = 16;
const SESSION_TICKET = 35;
const PRE_SHARED_KEY = 41;

const ACME = Buffer.from('acme-tls/1', 'latin1');

/** Whether the first byte of a connection can be that of a handshake. */
export const beginsHandshake = (bytes: Uint8Array): boolean => bytes[0] === HANDSHAKE_RECORD;

/**
 * Reads the message at the start of `bytes`. Returns the number of bytes that must be there before it is worth another look, or
 * what the message says; undefined for one that is too long.
 */
export function readClientHello(bytes: Buffer): number | ClientHello | undefined {
  let message: Buffer | undefined;
  for (let at = 0, records = 0; ; records++) {
    if (records === MAX_RECORDS) return undefined;
    if (bytes.length < at + RECORD_HEAD) return at + RECORD_HEAD;
    const length = bytes.readUInt16BE(at + 3);
    // Another record before the end of the message, or one that is no record.
    if (bytes[at] !== HANDSHAKE_RECORD || length === 0 || length > MAX_RECORD) return NOTHING;
    const end = at + RECORD_HEAD + length;
    if (end > MAX_HELLO) return undefined;
    if (bytes.length < end) return end;
    const part = bytes.subarray(at + RECORD_HEAD, end);
    message = message === undefined ? part : Buffer.concat([message, part]);
    at = end;
    if (message.length < MESSAGE_HEAD) continue;
    if (message[0] !== CLIENT_HELLO) return NOTHING;
    if (message.readUIntBE(1, 3) > MAX_HELLO) return undefined;
    const whole = MESSAGE_HEAD + message.readUIntBE(1, 3);
    if (message.length >= whole) return readMessage(message.subarray(MESSAGE_HEAD, whole));
  }
}

function readMessage(body: Buffer): ClientHello {
  try {
    return extensionsOf(new Reader(body));
  } catch (error) {
    if (error instanceof RangeError) return NOTHING;
    throw error;
  }
}

function extensionsOf(body: Reader): ClientHello {
  // Version and random; session id, cipher suites, compression methods.
  body.skip(2 + RANDOM_BYTES);
  body.vector(1);
  body.vector(2);
  body.vector(1);
  if (body.ended) return NOTHING;
  const extensions = body.vector(2);
  let serverName: string | undefined;
  let challenge = false;
  let ticketName: Buffer | undefined;
  while (!extensions.ended) {
    const type = extensions.integer(2);
    const data = extensions.vector(2);
    if (type === SERVER_NAME) serverName = nameOf(data);
    else if (type === ALPN) challenge = offersChallenge(data);
    else if (type === SESSION_TICKET) ticketName = data.bytes(TICKET_NAME_BYTES);
    else if (type === PRE_SHARED_KEY) ticketName = data.vector(2).vector(2).bytes(TICKET_NAME_BYTES);
  }
  return { serverName, challenge, ticketName };
}

/** RFC 6066 section 3: of the only type that there is. */
function nameOf(data: Reader): string | undefined {
  const list = data.vector(2);
  if (list.integer(1) !== 0) return undefined;
  return plainName(list.vector(2).rest.toString('latin1'));
}

function offersChallenge(data: Reader): boolean {
  for (const list = data.vector(2); !list.ended; ) if (list.vector(1).rest.equals(ACME)) return true;
  return false;
}

/** A host name in the form in which names are compared; undefined for ''. */
export function plainName(name: string): string | undefined {
  const lower = name.toLowerCase();
  return (lower.endsWith('.') ? lower.slice(0, -1) : lower) || undefined;
}

/** Throws RangeError beyond the end. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  get rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  skip(count: number): void {
    this.#at += count;
    if (this.#at > this.#bytes.length) throw new RangeError('beyond the end');
  }

  integer(size: number): number {
    const at = this.#at;
    this.skip(size);
    return this.#bytes.readUIntBE(at, size);
  }

  /** Bytes behind a length of `size` bytes. */
  vector(size: number): Reader {
    const length = this.integer(size);
    const at = this.#at;
    this.skip(length);
    return new Reader(this.#bytes.subarray(at, this.#at));
  }

  /** The next bytes, copied; undefined if there are fewer. */
  bytes(count: number): Buffer | undefined {
    const { rest } = this;
    return rest.length < count ? undefined : Buffer.from(rest.subarray(0, count));
  }
}
