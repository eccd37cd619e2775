/** A relay between HTTP/2 clients and a gateway that notes which streams each connection had, and how they were refused. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Code, PREFACE, Type } from '../../support/http2/raw-client.js';

const HEAD = 9;

/** Calls `note` with each frame; the bytes themselves are not changed. */
function frames(skip: number, note: (type: number, stream: number, payload: Buffer) => void): (chunk: Buffer) => void {
  let left = skip;
  let held = Buffer.alloc(0);
  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    if (held.length < left) return;
    held = held.subarray(left);
    left = 0;
    while (held.length >= HEAD && held.length >= HEAD + held.readUIntBE(0, 3)) {
      const end = HEAD + held.readUIntBE(0, 3);
      note(held[3]!, held.readUInt32BE(5) & 0x7fffffff, held.subarray(HEAD, end));
      held = held.subarray(end);
    }
  };
}

interface Connection {
  readonly opened: Set<number>;
  /** Of the last GOAWAY. */
  last: number;
}

export class FrameRelay {
  /** RST_STREAM frames of the gateway with REFUSED_STREAM. */
  refused = 0;
  readonly #connections: Connection[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(port: number) {
    this.#server = createServer({ noDelay: true }, (client) => this.#relay(client, connect(port, '127.0.0.1')));
  }

  static async start(port: number): Promise<FrameRelay> {
    const relay = new FrameRelay(port);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Streams that clients have opened. */
  get opened(): number {
    return this.#connections.reduce((sum, { opened }) => sum + opened.size, 0);
  }

  /** Those that the last GOAWAY of their connection does not cover. */
  get beyond(): number {
    return this.#connections.reduce((sum, { opened, last }) => sum + [...opened].filter((id) => id > last).length, 0);
  }

  #relay(client: Socket, gateway: Socket): void {
    const connection: Connection = { opened: new Set(), last: Number.POSITIVE_INFINITY };
    this.#connections.push(connection);
    const fromClient = frames(PREFACE.length, (type, stream) => {
      if (type === Type.Headers) connection.opened.add(stream);
    });
    const fromGateway = frames(0, (type, _stream, payload) => {
      if (type === Type.RstStream && payload.readUInt32BE(0) === Code.Refused) this.refused++;
      if (type === Type.Goaway) connection.last = payload.readUInt32BE(0) & 0x7fffffff;
    });
    for (const [from, to, read] of [
      [client, gateway, fromClient],
      [gateway, client, fromGateway],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => to.destroy());
      from.on('data', read).pipe(to);
      from.on('close', () => this.#sockets.delete(from));
    }
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
