/**
 * Whole gateways with a cache on disk, killed at any time while clients read and purge: no reply is mixed, cut or older than a purge,
 * and what was stored is there again.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { createServer, Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { gw } from '../cli/kit.js';
import { removeFolders, temporaryFolder } from '../control/kit.js';
import { ServedGateway } from '../support/gw-process.js';
import { seededBelow } from '../support/random.js';
import { until } from '../support/until.js';
import { bodyOf } from './content-kill-bodies.js';

const ROUNDS = 50;
const CLIENTS = 6;
/** Paths of each client: no two clients ask for the same one, so a purge is between two requests for what it removes. */
const OWN = 15;
/** The URL is part of the key, and each gateway has another port. */
const HOST = 'shop.example';

const test = suite('cache-kill');
test.after(removeFolders);

const specOf = (origin: string): string => `spec = 1
workers = 2
[state]
content_memory = "1MiB"
content_disk = "32MiB"
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["${origin}"]
[policy.store]
use = "cache"
ttl = "forever"
[[route]]
name = "items"
match = "GET /items/{id:int}"
to = "shop"
policies = ["store"]
`;

interface Got {
  readonly status: number;
  readonly version: number;
  readonly hit: boolean;
  readonly body: Buffer;
}

/** Undefined: the gateway ended before the reply did. */
function ask(agent: HttpAgent, url: string): Promise<Got | undefined> {
  return new Promise((resolve) => {
    const sent = httpRequest(url, { agent, headers: { host: HOST } }, (reply) => {
      const parts: Buffer[] = [];
      reply.on('data', (part: Buffer) => parts.push(part));
      reply.on('error', () => resolve(undefined));
      reply.on('end', () => {
        const { headers, statusCode: status = 0 } = reply;
        const hit = String(headers['cache-status']).includes('hit');
        resolve({ status, version: Number(headers['x-version']), hit, body: Buffer.concat(parts) });
      });
    });
    sent.on('error', () => resolve(undefined));
    sent.end();
  });
}

class Drill {
  /** Of all replies of the origin so far. */
  version = 0;
  /** Replies from the disk of an earlier gateway. */
  kept = 0;
  purges = 0;
  readonly wrong: string[] = [];
  /** The newest version at the last purge of a path that was confirmed. */
  readonly #floors = new Map<number, { readonly version: number; readonly when: string }>();
  /** Which gateway, and for how long it has served: to find what a wrong reply comes from. */
  #round = 0;
  #since = 0;

  next(round: number): void {
    this.#round = round;
    this.#since = performance.now();
  }

  get #when(): string {
    return `round ${this.#round} after ${Math.round(performance.now() - this.#since)} ms`;
  }

  /** One request, and what is wrong with its reply. False: the gateway has ended. */
  async read(agent: HttpAgent, url: string, key: number, before: number): Promise<boolean> {
    const got = await ask(agent, `${url}/items/${key}`);
    if (got === undefined) return false;
    const { status, version, hit, body } = got;
    const purged = this.#floors.get(key);
    if (status !== 200) this.wrong.push(`${key}: status ${status}`);
    else if (!body.equals(bodyOf(key, version))) this.wrong.push(`${key}: not the body of version ${version}`);
    else if (purged !== undefined && version <= purged.version)
      this.wrong.push(`${key}: version ${version} in ${this.#when}, but was purged in ${purged.when}`);
    if (hit && version <= before) this.kept++;
    return true;
  }

  async purge(key: number, env: NodeJS.ProcessEnv): Promise<boolean> {
    const [newest, began] = [this.version, this.#when];
    const { code } = await gw(['cache', 'purge', `http://${HOST}/items/${key}`], { env, cwd: env['GW_RUNTIME_DIR']! });
    if (code !== 0) return false;
    this.#floors.set(key, { version: newest, when: `${began} to ${this.#when}` });
    this.purges++;
    return true;
  }
}

/** One gateway, until it is killed. Returns its log. */
async function life(drill: Drill, path: string, round: number, below: (limit: number) => number): Promise<string> {
  const gateway = await ServedGateway.start([path]);
  drill.next(round);
  const [before, keptBefore] = [drill.version, drill.kept];
  const env = { GW_RUNTIME_DIR: gateway.runtimeDir };
  const agent = new HttpAgent({ keepAlive: true });
  let ended = false;
  const client = async (number: number): Promise<void> => {
    while (!ended) {
      const key = number * OWN + below(OWN);
      const goesOn = below(40) === 0 ? await drill.purge(key, env) : await drill.read(agent, gateway.url, key, before);
      if (!goesOn) return;
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
  try {
    const enough = (): boolean => (round === 0 ? drill.version > 200 : drill.kept > keptBefore);
    await until(enough, 'replies').catch((error: unknown) => {
      throw new Error(`round ${round}: ${String(error)}, ${drill.version - before} from the origin\n${gateway.log}`);
    });
    await delay(below(300));
  } finally {
    gateway.signal('SIGKILL');
    ended = true;
    await Promise.all([gateway.ended(), ...clients]);
    agent.destroy();
  }
  return gateway.log;
}

test(`nothing wrong is served by ${ROUNDS} gateways that were killed`, async () => {
  const drill = new Drill();
  const origin = createServer((request, reply) => {
    const version = ++drill.version;
    const body = bodyOf(Number(request.url?.split('/').at(-1)), version);
    reply.writeHead(200, { 'x-version': version, 'content-length': body.length }).end(body);
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const folder = temporaryFolder();
  const path = join(folder, 'gateway.toml');
  writeFileSync(path, specOf(`http://127.0.0.1:${(origin.address() as AddressInfo).port}`));
  const below = seededBelow(13);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const log = await life(drill, path, round, below);
      assert.equal(drill.wrong, [], `round ${round}`);
      assert.not.match(log, /moved aside|damaged/);
    }
  } finally {
    origin.closeAllConnections();
    origin.close();
  }
  assert.not.ok(existsSync(join(folder, '.gw/contents/data.mdb.damaged')));
  assert.ok(drill.kept > 20 * ROUNDS, `${drill.kept} replies from disk`);
  assert.ok(drill.purges > ROUNDS, `${drill.purges} purges`);
});

test.run();
