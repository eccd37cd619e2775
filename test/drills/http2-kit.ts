/** What the HTTP/2 drills share: a gateway of its own process, its memory, and a client that must always be served. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ServedGateway } from '../support/gw-process.js';
import { GET, headers } from '../support/http2/hpack.js';
import { RawHttp2, Type } from '../support/http2/raw-client.js';

const KIB = 1024;

export class DrillGateway {
  readonly #served: ServedGateway;
  readonly #folder: string;

  private constructor(served: ServedGateway, folder: string) {
    this.#served = served;
    this.#folder = folder;
  }

  /** Serves this spec with one worker, so that all connections meet. */
  static async start(spec: string): Promise<DrillGateway> {
    const folder = mkdtempSync(join(tmpdir(), 'gw-http2-'));
    writeFileSync(join(folder, 'gateway.toml'), `workers = 1\n${spec}`);
    const served = await ServedGateway.start([], { cwd: folder });
    return new DrillGateway(served, folder);
  }

  get port(): number {
    return Number(new URL(this.#served.url).port);
  }

  /** MiB of physical memory; 0 where the system does not tell. */
  get memory(): number {
    const file = `/proc/${this.#served.pid}/status`;
    if (!existsSync(file)) return 0;
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(file, 'utf8'))?.[1]) / KIB;
  }

  get log(): string {
    return this.#served.log;
  }

  async stop(): Promise<number | null> {
    const code = await this.#served.stop();
    rmSync(this.#folder, { recursive: true, force: true });
    return code;
  }
}

/** A client whose requests are all answered, one after the other on one connection. */
export class Bystander {
  served = 0;
  /** The longest time of a request in milliseconds. */
  longest = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(port: number) {
    this.#done = this.#run(port);
    this.#done.catch(() => undefined);
  }

  async #run(port: number): Promise<void> {
    // Another address than that of the floods, with a share of its own.
    const client = await RawHttp2.open(port, false, '127.0.0.9');
    await client.begin();
    for (let id = 1; !this.#stopped; id += 2) {
      const since = performance.now();
      client.send(headers(id, GET));
      const status = await client.status(id);
      if (status !== 200) throw new Error(`status ${status}`);
      this.longest = Math.max(this.longest, performance.now() - since);
      this.served++;
      const last = client.frames.findLastIndex(({ type }) => type === Type.Headers);
      client.frames.splice(0, last);
    }
    client.destroy();
  }

  /** @throws if a request was not answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}
