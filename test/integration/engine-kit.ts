/** Helpers of the engine tests: a data plane from spec text, a fault-injecting target, a raw client. */
import { connect, type Socket } from 'node:net';
import type { Program } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import { DataPlane, type DataPlaneHost } from '../../src/proxy/data-plane.js';
import type { DataPlaneOptions, GenerationInput } from '../../src/proxy/types.js';
import { loadSpec } from '../../src/spec/index.js';
import { LimitTable } from '../../src/state/limits/table.js';
import type { CallerCount } from '../../src/telemetry/callers.js';
import type { RequestRecord } from '../../src/telemetry/snapshot.js';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import type { CounterWord } from '../../src/telemetry/stats/writer.js';
import { until } from '../support/until.js';

export { type Arrived, type Fault, FaultTarget, ok, say } from '../support/fault-target.js';
export { until } from '../support/until.js';

/** Compiles spec text to a generation. @throws with the diagnostics if the spec has errors. */
export function generationOf(text: string, registry: StatsRegistry, id = 1): GenerationInput {
  const { value, diagnostics } = loadSpec({ path: 'gateway.toml', text });
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (value === undefined || errors.length > 0) throw new Error(JSON.stringify(errors, null, 1));
  const { bundle } = compile(value);
  const assignment = registry.assign(bundle.program, Date.now());
  return {
    id,
    sha256: bundle.sha256,
    program: bundle.program,
    trie: bundle.trie as ArrayBuffer,
    stats: { ...assignment, chunks: registry.chunks(0) },
  };
}

export class Plane {
  readonly registry = new StatsRegistry({ workers: 1 });
  readonly records: RequestRecord[] = [];
  readonly logs: { level: string; message: string; fields?: Record<string, unknown> }[] = [];
  /** Cause of the last failure, by target URL. */
  readonly failures = new Map<string, string>();
  readonly callers: CallerCount[] = [];
  /** What the last watch() that began to watch was given of the time before. */
  recent: readonly RequestRecord[] = [];
  readonly plane: DataPlane;
  dropped = 0;
  #ids = 0;

  private constructor(options: Partial<DataPlaneOptions> & DataPlaneHost) {
    this.plane = new DataPlane(
      { limits: LimitTable.allocate({ slots: 1024 }), monotonic: new TestTime().now, ...options },
      {
        requests: (records, dropped) => {
          this.records.push(...records);
          this.dropped += dropped;
        },
        recent: (records) => {
          this.recent = records;
        },
        reports: ({ failures = [], callers = [] }) => {
          for (const { url, cause } of failures) this.failures.set(url, cause);
          this.callers.push(...callers);
        },
        log: (level, message, fields) => {
          this.logs.push({ level, message, ...(fields ? { fields } : {}) });
        },
      },
    );
  }

  static async start(spec: string, options: Partial<DataPlaneOptions> & DataPlaneHost = {}): Promise<Plane> {
    const plane = new Plane(options);
    plane.plane.watch('records');
    await plane.load(spec);
    return plane;
  }

  ports: number[] = [];
  #listeners: readonly number[] = [];
  #targets: readonly number[] = [];

  /** `edit` changes the program before it is loaded. */
  async load(
    spec: string,
    edit: (program: Program) => Program = (program) => program,
    more: Partial<GenerationInput> = {},
  ): Promise<void> {
    const given = generationOf(spec, this.registry, ++this.#ids);
    const input = { ...given, program: edit(given.program), ...more };
    const bound = await this.plane.load(input);
    this.#listeners = input.stats.listeners;
    this.#targets = input.stats.targets.flat();
    this.ports = bound.map(({ address }) => Number(address.slice(address.lastIndexOf(':') + 1)));
  }

  get port(): number {
    return this.ports[0]!;
  }

  /** Open connections of clients, as the gateway counts them. */
  get connections(): number {
    return this.#listeners.reduce((sum, slot) => sum + this.registry.sums(slot).connections, 0);
  }

  /** The sum of a counter over the targets of the last load. */
  targetSum(counter: CounterWord): number {
    return this.#targets.reduce((sum, slot) => sum + this.registry.sum(slot, counter), 0);
  }

  client(): RawClient {
    return new RawClient(connect({ port: this.port, host: '127.0.0.1', noDelay: true }));
  }

  /** Sends one request's text on its own connection and reads one reply. */
  async ask(text: string, options: { head?: boolean } = {}): Promise<RawReply> {
    const client = this.client();
    try {
      client.send(text);
      return await client.reply(options);
    } finally {
      client.destroy();
    }
  }

  async record(matches: (record: RequestRecord) => boolean): Promise<RequestRecord> {
    await until(() => this.records.some(matches), 'a record');
    return this.records.find(matches)!;
  }

  async close(): Promise<void> {
    await this.plane.close();
  }
}

/** Longest time between two clock reads that counts, in milliseconds. The sweep reads the clock ten times a second. */
const MOST_GAP = 150;

/**
 * Clock for the timeouts of a data plane. A pause of the whole process counts for at most `MOST_GAP`, so nothing times
 * out because the machine is busy. The clock can be stopped and advanced manually.
 */
export class TestTime {
  #time = performance.now();
  #looked = performance.now();
  #stopped = false;

  readonly now = (): number => {
    const real = performance.now();
    if (!this.#stopped) this.#time += Math.min(real - this.#looked, MOST_GAP);
    this.#looked = real;
    return this.#time;
  };

  stop(): void {
    this.now();
    this.#stopped = true;
  }

  pass(ms: number): void {
    this.#time += ms;
  }

  go(): void {
    this.now();
    this.#stopped = false;
  }
}

export interface RawReply {
  readonly status: number;
  readonly statusLine: string;
  /** Lower-case names, in order. */
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Buffer;
  header(name: string): string | undefined;
}

/** Client that reads replies strictly, to detect wrong framing. */
export class RawClient {
  readonly socket: Socket;
  ended = false;
  closed = false;
  /** Received and not read: `#buffer`, then `#arrived`. Joined when they are read, so that a long body is not copied for each chunk. */
  #buffer = Buffer.alloc(0);
  readonly #arrived: Buffer[] = [];
  #unread = 0;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#arrived.push(chunk);
      this.#unread += chunk.length;
      this.#wake?.();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#wake?.();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.ended = true;
      this.closed = true;
      this.#wake?.();
    });
  }

  send(text: string | Buffer): void {
    if (typeof text === 'string') this.socket.write(text, 'latin1');
    else this.socket.write(text);
  }

  /** Received bytes that have not been read. */
  get pending(): string {
    return this.#joined().toString('latin1');
  }

  #joined(): Buffer {
    if (this.#arrived.length > 0) this.#buffer = Buffer.concat([this.#buffer, ...this.#arrived.splice(0)]);
    return this.#buffer;
  }

  async #more(): Promise<void> {
    if (this.ended) throw new Error(`The connection ended; unread: ${JSON.stringify(this.pending.slice(0, 200))}`);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`No more bytes; unread: ${this.pending.slice(0, 200)}`)), 8000);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  async #take(count: number): Promise<Buffer> {
    while (this.#unread < count) await this.#more();
    const taken = this.#joined().subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    this.#unread -= count;
    return taken;
  }

  async #line(): Promise<string> {
    for (;;) {
      const at = this.#joined().indexOf('\r\n');
      if (at >= 0) return (await this.#take(at + 2)).toString('latin1', 0, at);
      await this.#more();
    }
  }

  /** The next reply, informational ones included. `head`: the request was HEAD. */
  async reply({ head = false }: { head?: boolean } = {}): Promise<RawReply> {
    const statusLine = await this.#line();
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    if (!status) throw new Error(`No status line: ${statusLine}`);
    const fields: [string, string][] = [];
    for (let line = await this.#line(); line !== ''; line = await this.#line()) {
      const colon = line.indexOf(': ');
      if (colon < 1) throw new Error(`Not a field line: ${line}`);
      fields.push([line.slice(0, colon).toLowerCase(), line.slice(colon + 2)]);
    }
    const header = (name: string): string | undefined => {
      const values = fields.filter(([field]) => field === name).map(([, value]) => value);
      return values.length > 0 ? values.join(', ') : undefined;
    };
    const bodiless = head || status < 200 || status === 204 || status === 304;
    const body = bodiless ? Buffer.alloc(0) : await this.#body(header);
    return { status, statusLine, fields, body, header };
  }

  async #body(header: (name: string) => string | undefined): Promise<Buffer> {
    if (header('transfer-encoding') === 'chunked') return await this.#chunks();
    const length = header('content-length');
    if (length !== undefined) return Buffer.from(await this.#take(Number(length)));
    while (!this.ended) await this.#more();
    return await this.#take(this.#unread);
  }

  async #chunks(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (;;) {
      const size = Number.parseInt(await this.#line(), 16);
      parts.push(Buffer.from(await this.#take(size)));
      const end = await this.#line();
      if (end !== '') throw new Error(`Chunk not closed: ${end}`);
      if (size === 0) return Buffer.concat(parts);
    }
  }

  async end(): Promise<void> {
    while (!this.ended) await this.#more();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** A spec with one listener and one service on every path. `listener` and `service` are further TOML lines. */
export const specOf = (
  urls: string | readonly string[],
  options: { listener?: string; service?: string; route?: string; more?: string } = {},
): string => `
spec = 1
[listener.main]
address = "127.0.0.1:0"
${options.listener ?? ''}
[service.it]
targets = ${JSON.stringify([urls].flat())}
${options.service ?? ''}
[[route]]
name = "all"
match = "/{rest...}"
to = "it"
${options.route ?? ''}
${options.more ?? ''}
`;
