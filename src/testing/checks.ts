/**
 * The contract suite: what every policy has to keep to, built-in or custom. Each check is an async function that rejects with
 * what is wrong, so it runs under any test runner.
 */
import assert from 'node:assert/strict';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import type { Exchange, PolicyInstance } from '../contract/index.js';
import { bytesOf, type TestRequest, testExchange } from './exchange.js';
import { foreignUses } from './foreign.js';
import { type RunOptions, type RunResult, runExchange, type TargetReply } from './run.js';
import type { Subject } from './subject.js';
import { TestWorld, type WorldOptions } from './world.js';

/** One law of the contract. */
export interface Check {
  readonly name: string;
  readonly run: () => Promise<void>;
}

export interface CheckOptions extends WorldOptions {
  /** Further requests to run, besides those of the suite: ones that reach what the policy decides. */
  readonly requests?: readonly TestRequest[];
  readonly replies?: readonly TargetReply[];
}

const SECRET = 'S3cr3t-0123456789abcdef';
const JSON_TYPE = { 'content-type': 'application/json' };

/** Requests that a policy has to stand. */
const REQUESTS: readonly TestRequest[] = [
  {},
  { method: 'HEAD', url: '/orders/7?page=2', params: { id: '7' } },
  {
    method: 'POST',
    url: '/orders',
    headers: { ...JSON_TYPE, 'accept-encoding': 'gzip, br' },
    body: '{"item":"tea","amount":2}',
  },
  { method: 'PUT', url: '/orders/7', headers: JSON_TYPE, body: '{"__proto__":{"a":1},"a":[[[[[[' },
  { method: 'POST', url: '/orders', headers: { 'content-type': 'text/plain' }, body: Buffer.from([0xff, 0xfe, 0x00]) },
  { method: 'DELETE', url: '/a%2Fb?x=%zz&x=%ff&=&x' },
  {
    method: 'OPTIONS',
    headers: { origin: 'https://a.example', 'access-control-request-method': 'POST' },
  },
  {
    headers: { origin: 'null', 'accept-encoding': 'gzip;q=0, *;q=x', 'if-none-match': '"', range: 'bytes=0-1' },
    address: '2001:db8::1',
  },
  {
    url: `/?api_key=${SECRET}&access_token=${SECRET}`,
    headers: { authorization: `Bearer ${SECRET}`, 'x-api-key': SECRET, cookie: `session=${SECRET}` },
  },
];

const REPLIES: readonly TargetReply[] = [
  { headers: { ...JSON_TYPE, etag: '"a"' }, body: JSON.stringify({ items: 'tea '.repeat(600) }) },
  { status: 204 },
  { status: 304, headers: { etag: '"a"' } },
  { status: 500, headers: { 'content-type': 'text/html' }, body: '<p>failed</p>' },
  { status: 404, headers: { 'content-encoding': 'gzip' }, body: Buffer.from([1, 2, 3]) },
];

/** Hooks of one exchange at which it is ended, at most. */
const MOST_POINTS = 40;

/** The checks for one policy with one config. */
export function contractChecks(subject: Subject, options: CheckOptions = {}): readonly Check[] {
  const suite = new Suite(subject, options);
  return [
    { name: 'settings are plain JSON', run: async () => suite.settings() },
    { name: 'every hook runs, and hostile requests cause no exception', run: () => suite.everyHook() },
    { name: 'errors are declared as problems', run: () => suite.problems() },
    { name: 'time, chance and requests come from the host alone', run: () => suite.hostOnly() },
    { name: 'decisions hold no secrets', run: () => suite.noSecrets() },
    { name: 'an exchange may end before any hook', run: () => suite.aborts() },
    { name: 'stages give the same output for parts of one byte', run: () => suite.parts() },
    { name: 'stages wait for a slow receiver', run: () => suite.backpressure() },
    { name: 'stats() is plain JSON, and close() ends the policy', run: () => suite.close() },
  ];
}

interface Case {
  readonly request: TestRequest;
  readonly target: TargetReply;
}

class Suite {
  readonly #subject: Subject;
  readonly #options: CheckOptions;
  readonly #cases: readonly Case[];

  constructor(subject: Subject, options: CheckOptions) {
    this.#subject = subject;
    this.#options = options;
    const requests = [...REQUESTS, ...(options.requests ?? [])];
    const replies = [...REPLIES, ...(options.replies ?? [])];
    this.#cases = requests.flatMap((request) => replies.map((target) => ({ request, target })));
  }

  /** A fresh policy in a world of its own. */
  #create(): { policy: PolicyInstance; world: TestWorld } {
    const { name, settings, create, calls, members } = this.#subject;
    const world = new TestWorld(this.#options);
    // As from a bundle: a copy by JSON.
    return { policy: create(JSON.parse(JSON.stringify(settings)), world.host(name, calls, members)), world };
  }

  async #run(
    { policy, world }: { policy: PolicyInstance; world: TestWorld },
    { request, target }: Case,
    extra: Partial<RunOptions> = {},
  ): Promise<{ exchange: Exchange; result: RunResult }> {
    const exchange = testExchange(request, 'test-1', world.time.now());
    const { collects } = this.#subject;
    const pending = runExchange(policy, exchange, { body: request.body, target, collects, ...extra });
    const timer = setInterval(() => world.advance(1000), 1);
    try {
      return { exchange, result: await pending };
    } catch (error) {
      const what = `${request.method ?? 'GET'} ${request.url ?? '/'}, reply ${target.status ?? 200}`;
      throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    } finally {
      clearInterval(timer);
    }
  }

  settings(): void {
    const { settings } = this.#subject;
    assert.deepEqual(JSON.parse(JSON.stringify(settings)), settings);
  }

  async everyHook(): Promise<void> {
    const made = this.#create();
    for (const each of this.#cases) {
      const { reply } = (await this.#run(made, each)).result;
      assert.ok(reply !== undefined && Number.isInteger(reply.status), 'a hook returned a value that is not a reply');
      assert.ok(reply.status >= 100 && reply.status <= 599, `status ${reply.status} is not a status of HTTP`);
      for (const [name, value] of reply.headers.entries()) {
        assert.equal(name, name.toLowerCase());
        assert.doesNotMatch(value, /[\r\n\0]/);
      }
      made.world.advance(10);
    }
  }

  async problems(): Promise<void> {
    const made = this.#create();
    const { codes } = this.#subject;
    for (const each of this.#cases) {
      const { result } = await this.#run(made, each);
      const code = result.answered ? result.reply?.code : undefined;
      assert.ok(
        code === undefined || codes.has(code) || code === 'auth/unavailable',
        `\`${code}\` is not among \`problems\``,
      );
    }
  }

  async hostOnly(): Promise<void> {
    const made = this.#create();
    for (const each of this.#cases) {
      const uses = await foreignUses(async () => {
        const { policy, world } = made;
        const exchange = testExchange(each.request, 'test-1', world.time.now());
        await policy.authenticate?.(exchange, async () => bytesOf(each.request.body ?? ''));
        await policy.before?.(exchange);
        // It ends here: another exchange may wait for it.
        policy.finished?.(exchange, 'aborted');
      });
      assert.deepEqual(uses, [], `use what \`host\` offers instead of ${uses.join(', ')}`);
    }
  }

  async noSecrets(): Promise<void> {
    const made = this.#create();
    for (const each of this.#cases) {
      const { exchange } = await this.#run(made, each);
      const said = JSON.stringify([exchange.decisions, made.world.log]);
      assert.ok(!said.includes(SECRET), `a decision or a log line has a credential: ${said.slice(0, 400)}`);
    }
  }

  /** runExchange() calls finished(), also for an exchange that ends early. */
  async aborts(): Promise<void> {
    for (const each of this.#cases) {
      const made = this.#create();
      for (let abortAt = 0; abortAt < MOST_POINTS; abortAt++) {
        const { result } = await this.#run(made, each, { abortAt, chunk: 512 });
        if (result.end === 'sent') break;
      }
      await this.#run(made, each);
    }
  }

  async parts(): Promise<void> {
    await this.#staged(async (each) => {
      const whole = (await this.#run(this.#create(), each)).result;
      const parts = (await this.#run(this.#create(), each, { chunk: 1 })).result;
      assert.deepEqual(plainOf(parts), plainOf(whole));
      assert.deepEqual(parts.sent && Buffer.from(parts.sent), whole.sent && Buffer.from(whole.sent));
    });
  }

  async backpressure(): Promise<void> {
    await this.#staged(async (each) => {
      const fast = (await this.#run(this.#create(), each, { chunk: 100 })).result;
      const slow = (await this.#run(this.#create(), each, { chunk: 100, slow: true })).result;
      assert.deepEqual(plainOf(slow), plainOf(fast));
    });
  }

  /** Only for policies with stages. */
  async #staged(work: (each: Case) => Promise<void>): Promise<void> {
    const { policy } = this.#create();
    if (policy.requestStage === undefined && policy.replyStage === undefined) return;
    for (const each of this.#cases) await work(each);
  }

  async close(): Promise<void> {
    const made = this.#create();
    await this.#run(made, this.#cases[0]!);
    const stats = made.policy.stats?.();
    if (stats !== undefined) assert.deepEqual(JSON.parse(JSON.stringify(stats)), stats);
    made.policy.close?.();
    made.world.advance(60_000);
  }
}

const DECODERS: { readonly [coding: string]: (bytes: Uint8Array) => Uint8Array } = {
  br: brotliDecompressSync,
  deflate: inflateSync,
  gzip: gunzipSync,
};

/** The body without the coding that the policy has applied: equal texts may be coded in different ways. */
function plainOf({ reply, body }: RunResult): Buffer {
  const decode = DECODERS[reply?.headers.get('content-encoding') ?? ''];
  try {
    return Buffer.from(decode === undefined ? body : decode(body));
  } catch {
    // The target's own coding, which is not valid in these replies.
    return Buffer.from(bytesOf(body));
  }
}
