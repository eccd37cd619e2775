/**
 * idempotency against a model, in random histories of two workers that share their memory: requests with few keys and bodies, targets
 * that answer, fail, or are never reached, clients that leave, workers that end, and time that passes.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Exchange, PolicyInstance, Reply, StageOut } from '../../src/policies/contract.js';
import { BytesReply } from '../../src/policies/run-kit.js';
import { MemoryContents } from '../../src/state/content/memory/index.js';
import { OutcomeTable } from '../../src/state/outcomes/table.js';
import { seededBelow } from '../support/random.js';
import { create, exchange, type World, world } from './support.js';

const LEASE = 10_000;
const TTL = 60_000;

interface Pending {
  readonly exchange: Exchange;
  readonly key: string;
  readonly worker: number;
}

/** What is known of a key without looking at gw. */
interface Known {
  readonly body: string;
  state: 'running' | 'unknown' | 'done';
  reply: string;
  /** Monotonic milliseconds. */
  until: number;
  lease: number;
}

class History {
  readonly executions: string[] = [];
  readonly seen = new Map<string, number>();
  readonly #below: (below: number) => number;
  readonly #around: World = world();
  readonly #outcomes = OutcomeTable.allocate({ slots: 16_384 });
  readonly #kept = MemoryContents.allocate({ bytes: 8 * 1024 * 1024, workers: 2 });
  readonly #policies: PolicyInstance[];
  readonly #retries: boolean;
  readonly #known = new Map<string, Known>();
  #pending: Pending[] = [];
  #replies = 0;

  constructor(seed: number, retries: boolean) {
    this.#below = seededBelow(seed);
    this.#retries = retries;
    this.#policies = [0, 1].map((worker) => this.#start(worker));
  }

  #start(worker: number): PolicyInstance {
    const around = this.#around;
    const table = new OutcomeTable(this.#outcomes, worker, () => around.now);
    const outcomes = { store: (name: string) => table.store(name), diskStore: (name: string) => table.store(name) };
    const kept = new MemoryContents(this.#kept, () => around.now, worker, { keeps: true });
    const config = `lease = "10s"\nttl = "1m"\non_unknown = "${this.#retries ? 'retry' : 'refuse'}"`;
    return create('idempotency', config, { ...around, stores: { ...around.stores, outcomes, kept } });
  }

  async step(): Promise<void> {
    const action = this.#below(20);
    if (action < 9) await this.#request();
    else if (action < 16) this.#answer();
    else if (action < 19) this.#around.now += this.#below(8000);
    else if (this.#below(5) === 0) this.#crash();
  }

  async #request(): Promise<void> {
    const [key, body, worker] = [`k${this.#below(6)}`, `b${this.#below(8) === 0 ? 1 : 0}`, this.#below(2)];
    const given = Object.assign(exchange({ method: 'POST', headers: [['idempotency-key', key]] }), { hasBody: true });
    const policy = this.#policies[worker]!;
    assert.is(await policy.before?.(given), undefined);
    const reply = (await policy.onRequestBody?.(given, Buffer.from(body))) as Reply | undefined;
    const wanted = this.#expected(key, body);
    this.seen.set(wanted, (this.seen.get(wanted) ?? 0) + 1);
    assert.is(reply === undefined ? 'sent' : (reply.code ?? textOf(reply)), wanted, `${key} ${body}`);
    if (reply !== undefined) {
      policy.finished?.(given, 'sent');
      return;
    }
    this.executions.push(key);
    this.#known.set(key, { body, state: 'running', reply: '', until: 0, lease: 0 });
    this.#pending.push({ exchange: given, key, worker });
  }

  #expected(key: string, body: string): string {
    const { now } = this.#around;
    const known = this.#known.get(key);
    if (known === undefined || (known.state !== 'running' && known.until <= now)) return 'sent';
    if (known.body !== body) return 'idempotency/key-reused';
    if (known.state === 'running') return 'idempotency/in-progress';
    if (known.state === 'done') return known.reply;
    return this.#retries && known.lease <= now ? 'sent' : 'idempotency/unknown';
  }

  /** Something becomes of a request that was sent. */
  #answer(): void {
    const [one] = this.#pending.splice(this.#below(this.#pending.length || 1), 1);
    if (one === undefined) return;
    const policy = this.#policies[one.worker]!;
    const known = this.#known.get(one.key)!;
    const what = this.#below(6);
    const sent = what !== 0;
    Object.assign(one.exchange, { sent });
    if (what === 0) {
      policy.after?.(one.exchange, new BytesReply(502, { code: 'upstream/unreachable' }));
      this.#known.delete(one.key);
    } else if (what === 1) {
      policy.after?.(one.exchange, new BytesReply(500));
      this.#unknown(known);
    } else if (what === 2) this.#unknown(known);
    else this.#done(policy, one, known, what === 3);
    policy.finished?.(one.exchange, what === 2 ? 'aborted' : 'sent');
  }

  #done(policy: PolicyInstance, { exchange: given }: Pending, known: Known, cut: boolean): void {
    const text = `reply ${++this.#replies}`;
    const reply = new BytesReply(200, { body: text });
    policy.after?.(given, reply);
    const stage = policy.replyStage?.(given, reply, OUT);
    if (stage === undefined) throw new Error('the reply is not kept');
    if (cut) stage.abort('cut');
    else {
      stage.write(Buffer.from(text));
      stage.end(undefined);
    }
    Object.assign(known, {
      state: 'done',
      reply: cut ? 'idempotency/reply-not-kept' : text,
      until: this.#around.now + TTL,
    });
  }

  #unknown(known: Known): void {
    known.state = 'unknown';
    known.lease = this.#around.now + LEASE;
    known.until = this.#around.now + TTL;
  }

  /** A worker ends with all that it does; another one takes its place. */
  #crash(): void {
    const worker = this.#below(2);
    new OutcomeTable(this.#outcomes, worker, () => this.#around.now).forget(worker);
    new MemoryContents(this.#kept, () => this.#around.now).forget(worker);
    for (const one of this.#pending) if (one.worker === worker) this.#unknown(this.#known.get(one.key)!);
    this.#pending = this.#pending.filter((one) => one.worker !== worker);
    this.#policies[worker] = this.#start(worker);
  }
}

const OUT: StageOut = {
  write: () => true,
  end() {},
  fail() {},
  onWritable() {},
  resume() {},
  refuse() {},
};

function textOf({ body }: Reply): string {
  if (body === null || body instanceof Uint8Array) return Buffer.from(body ?? '').toString();
  const { parts } = body as unknown as { parts: readonly Buffer[] };
  const text = Buffer.concat(parts).toString();
  body.discard();
  return text;
}

for (const retries of [false, true])
  test(`every request gets what the model says, ${retries ? 'with' : 'without'} retries of unknown outcomes`, async () => {
    const seen = new Map<string, number>();
    for (let seed = 1; seed <= 60; seed++) {
      const history = new History(seed, retries);
      for (let step = 0; step < 200; step++) await history.step();
      for (const [what, count] of history.seen) {
        const kind = what.startsWith('reply') ? 'reply' : what;
        seen.set(kind, (seen.get(kind) ?? 0) + count);
      }
    }
    for (const kind of ['sent', 'reply', 'idempotency/in-progress', 'idempotency/unknown', 'idempotency/key-reused'])
      assert.ok((seen.get(kind) ?? 0) > 20, `${kind}: ${seen.get(kind)}`);
  });

test.run();
