/** A DNS server on this machine (RFC 1035, UDP and TCP) whose answers a test decides, with the hosts that it was asked for. */
import { createSocket, type Socket } from 'node:dgram';
import { promises as dns } from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, type Socket as Connection, createServer, type Server } from 'node:net';

export type DnsRecord =
  | { readonly type: 'A' | 'AAAA'; readonly ttl: number; readonly address: string }
  | {
      readonly type: 'SRV';
      readonly ttl: number;
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly name: string;
    };

const TYPES = { A: 1, AAAA: 28, SRV: 33 } as const;
export const RCODES = { none: 0, servfail: 2, nxdomain: 3 } as const;

interface Zone {
  /** By name in lower case; a name without records exists, another one does not. */
  readonly records: Map<string, readonly DnsRecord[]>;
  /** The response code of every answer, instead. */
  rcode: keyof typeof RCODES;
  /** Answers over UDP are cut short, so that they are asked for again over TCP. */
  truncated: boolean;
  /** Questions are not answered. */
  silent: boolean;
}

export class DnsServer implements Zone {
  readonly records = new Map<string, readonly DnsRecord[]>();
  rcode: keyof typeof RCODES = 'none';
  truncated = false;
  silent = false;
  /** `A orders.test` over `udp` or `tcp`, in the order in which they came. */
  readonly asked: { readonly question: string; readonly over: 'udp' | 'tcp' }[] = [];
  readonly #udp: Socket;
  readonly #tcp: Server;
  /** Connections: a resolver keeps its own open. */
  readonly #open = new Set<Connection>();

  private constructor(udp: Socket, tcp: Server) {
    this.#udp = udp;
    this.#tcp = tcp;
    udp.on('message', (query, from) => {
      const answer = this.#answer(query, 'udp');
      if (answer !== undefined) udp.send(answer, from.port, from.address);
    });
    tcp.on('connection', (socket) => {
      let held = Buffer.alloc(0);
      this.#open.add(socket);
      socket.on('close', () => this.#open.delete(socket));
      socket.on('error', () => {});
      socket.on('data', (part) => {
        held = Buffer.concat([held, part]);
        while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
          const size = held.readUInt16BE(0);
          const answer = this.#answer(held.subarray(2, 2 + size), 'tcp');
          held = held.subarray(2 + size);
          if (answer !== undefined) socket.write(Buffer.concat([sixteen(answer.length), answer]));
        }
      });
    });
  }

  static async start(): Promise<DnsServer> {
    for (;;) {
      const udp = createSocket('udp4');
      udp.bind(0, '127.0.0.1');
      await once(udp, 'listening');
      const tcp = createServer().listen(udp.address().port, '127.0.0.1');
      try {
        await once(tcp, 'listening');
        return new DnsServer(udp, tcp);
      } catch {
        // Another program has this port of TCP.
        udp.close();
      }
    }
  }

  get address(): string {
    return `127.0.0.1:${(this.#tcp.address() as AddressInfo).port}`;
  }

  /** A resolver that asks only this server. */
  resolver(): dns.Resolver {
    const resolver = new dns.Resolver({ timeout: 200, tries: 2 });
    resolver.setServers([this.address]);
    return resolver;
  }

  /** Addresses of a name, of either family. */
  set(name: string, addresses: readonly string[], ttl = 60): void {
    this.records.set(
      name,
      addresses.map((address) => ({ type: address.includes(':') ? 'AAAA' : 'A', ttl, address })),
    );
  }

  #answer(query: Buffer, over: 'udp' | 'tcp'): Buffer | undefined {
    const { name, type, end } = questionOf(query);
    const kind = Object.entries(TYPES).find(([, code]) => code === type)?.[0] ?? String(type);
    this.asked.push({ question: `${kind} ${name}`, over });
    if (this.silent) return undefined;
    const known = this.records.get(name.toLowerCase());
    const code = this.rcode !== 'none' ? this.rcode : known === undefined ? 'nxdomain' : 'none';
    const cut = this.truncated && over === 'udp';
    const found = code !== 'none' || cut ? [] : (known ?? []).filter((record) => record.type === kind);
    // A response with recursion; TC if it is cut short (RFC 1035 section 4.1.1).
    const flags = 0x8180 | (cut ? 0x0200 : 0) | RCODES[code];
    const counts = [1, found.length, 0, 0].map(sixteen);
    const head = Buffer.concat([query.subarray(0, 2), sixteen(flags), ...counts, query.subarray(12, end)]);
    return Buffer.concat([head, ...found.map(encode)]);
  }

  async close(): Promise<void> {
    this.#udp.close();
    this.#tcp.close();
    for (const socket of this.#open) socket.destroy();
    await once(this.#tcp, 'close');
  }
}

function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let size = query[at]!; size > 0; size = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + size));
    at += 1 + size;
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** Its owner is the name of the question, which is at byte 12. */
function encode(record: DnsRecord): Buffer {
  const data = dataOf(record);
  const ttl = Buffer.alloc(4);
  ttl.writeUInt32BE(record.ttl);
  return Buffer.concat([sixteen(0xc00c), sixteen(TYPES[record.type]), sixteen(1), ttl, sixteen(data.length), data]);
}

function dataOf(record: DnsRecord): Buffer {
  if (record.type === 'SRV') {
    const labels = record.name.split('.').filter((label) => label !== '');
    const name = labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
    const numbers = [record.priority, record.weight, record.port].map(sixteen);
    return Buffer.concat([...numbers, ...name, Buffer.alloc(1)]);
  }
  if (record.type === 'A') return Buffer.from(record.address.split('.').map(Number));
  const [before = '', after] = record.address.split('::');
  const [head, tail] = [before, after ?? ''].map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = new Array<string>(8 - head!.length - tail!.length).fill('0');
  return Buffer.concat([...head!, ...zeros, ...tail!].map((group) => sixteen(Number.parseInt(group, 16))));
}

function sixteen(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
