/** A gateway with two caches, which operators act on by `gw cache`. */
import type { IncomingMessage } from 'node:http';
import * as assert from 'uvu/assert';
import { whyNoSharing } from '../../../src/control/ports/addresses.js';
import type { CacheStats, PurgeReport, StoredReplies } from '../../../src/telemetry/cache-calls.js';
import { gw, type Ran } from '../../cli/kit.js';
import { call, type Origin, type Running, SpecFile, serveHttp, startGateway } from '../control-kit.js';

/** Ports are shared between workers only where the system can do it. */
export const WORKERS = whyNoSharing() === undefined ? 2 : 1;
/** Requests on connections of their own, so that every worker gets some. */
export const SEVERAL = 8;

export class Bed {
  readonly asked: IncomingMessage[] = [];
  /** Resolves when the origin may end bodies. */
  ending: Promise<void> | undefined;
  origin!: Origin;
  spec!: SpecFile;
  running!: Running;

  static async open(listeners = ''): Promise<Bed> {
    const bed = new Bed();
    bed.origin = await serveHttp(async (request, response) => {
      bed.asked.push(request);
      const { pathname } = new URL(request.url ?? '', 'http://origin');
      response.setHeader('cache-control', 'max-age=600');
      response.setHeader('etag', '"one"');
      response.setHeader('surrogate-key', `all page-${pathname.split('/').at(-1)}`);
      response.setHeader('cache-tag', 'red, green');
      response.setHeader('cache-groups', '"shop"');
      if (request.headers['if-none-match'] !== undefined) response.writeHead(304).end();
      else {
        response.write('hello ');
        await bed.ending;
        response.end(request.url);
      }
    });
    bed.spec = new SpecFile(bed.text('', listeners));
    bed.running = await startGateway({ spec: bed.spec.path });
    return bed;
  }

  text(more: string, listeners = ''): string {
    return `spec = 1
workers = ${WORKERS}
[listener.main]
address = "127.0.0.1:0"
${listeners}
[service.it]
targets = ["${this.origin.url}"]
[policy.short]
use = "cache"
key = { query_except = ["utm"] }
${more}
[policy.long]
use = "cache"
ttl = "1h"
[[route]]
name = "a"
match = "/a/{rest...}"
to = "it"
policies = ["short"]
[[route]]
name = "b"
match = "/b/{rest...}"
to = "it"
policies = ["long"]
`;
  }

  get url(): string {
    return this.running.url;
  }

  async gw(...argv: readonly string[]): Promise<Ran> {
    return await gw(['cache', ...argv, '--address', this.running.gateway.adminSocket ?? '']);
  }

  async purge(...argv: readonly string[]): Promise<number> {
    const { code, out, err } = await this.gw('purge', ...argv, '--json');
    assert.is(code, 0, out + err);
    return (JSON.parse(out) as PurgeReport).purged;
  }

  async stored(...argv: readonly string[]): Promise<StoredReplies> {
    const { code, out, err } = await this.gw('stats', ...argv, '--json');
    assert.is(code, 0, out + err);
    return JSON.parse(out) as StoredReplies;
  }

  async stats(): Promise<CacheStats> {
    return JSON.parse((await this.gw('stats', '--json')).out) as CacheStats;
  }

  /** Cache-Status of a request. */
  async status(path: string, headers: Record<string, string> = {}): Promise<string> {
    return String((await call(`${this.url}${path}`, { headers })).headers['cache-status']);
  }

  /** Stores the replies to these paths. */
  async fill(...paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      await this.status(path);
      for (let times = 0; times < SEVERAL; times++) assert.match(await this.status(path), /hit/);
    }
  }
}
