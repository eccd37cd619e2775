/** The cache against a naive model of the RFCs, in random histories over sockets, with a clock that the test sets. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../../src/policies/cache/run.js';
import type { PolicyHost } from '../../../src/policies/contract.js';
import { type HistoryRequest, history } from '../../policies/http-cache-model/history.js';
import { ModelCache, type ModelOptions } from '../../policies/http-cache-model/model.js';
import { compile } from '../../policies/support.js';
import { withPolicies } from '../../support/test-policies.js';
import type { RawReply } from '../engine-kit.js';
import { CacheBed } from './kit.js';

const SEEDS = 40;
const LENGTH = 60;

const CASES: readonly [what: string, text: string, options: ModelOptions][] = [
  ['the origin decides', '', { clientDirectives: true }],
  ['directives of clients do not count', 'client_directives = "ignore"', { clientDirectives: false }],
  ['with a ttl', 'ttl = "15s"\nnegative = { }', { clientDirectives: true, ttl: 15 }],
];

/** Fetches in the background that have not ended. */
class Refreshes {
  readonly #running = new Set<Promise<unknown>>();

  watch(host: PolicyHost): PolicyHost {
    return {
      ...host,
      once: (key, leaseMs, work) => {
        const pending = host.once(key, leaseMs, work);
        if (!key.startsWith('refresh')) return pending;
        this.#running.add(pending);
        const end = (): boolean => this.#running.delete(pending);
        pending.then(end, end);
        return pending;
      },
    };
  }

  async done(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running]);
  }
}

const wireOf = (host: string, { method, path, fields }: HistoryRequest): string =>
  [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...Object.entries(fields).map((field) => field.join(': ')),
    '',
    '',
  ].join('\r\n');

/** A reply that was validated has the age that the origin gave it. */
const ageOf = (reply: RawReply): number | undefined =>
  reply.header('cache-status')?.includes('hit') === true ||
  reply.header('cache-status')?.includes('fwd-status=50') === true
    ? Number(reply.header('age'))
    : undefined;

for (const [what, text, options] of CASES) {
  test(`the cache answers as the model does: ${what}`, async () => {
    const bed = await CacheBed.open('', '');
    const refreshes = new Refreshes();
    const settings = compile('cache', `${text}\ncollapse = false\n`)!;
    await bed.load('', '', withPolicies([{ run: (host) => create(settings, refreshes.watch(host)) }]));
    try {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const { origin, requests } = history(seed, LENGTH);
        let seen: string[] = [];
        let current: HistoryRequest | undefined;
        bed.origin = (arrived) => {
          const conditions = ['if-none-match', 'if-modified-since'].flatMap((name) => {
            const value = arrived.header(name);
            return value === undefined ? [] : [[name, value] as const];
          });
          seen.push(conditions.map((one) => one.join(': ')).join(', ') || 'plain');
          const fields = { ...current!.fields, ...Object.fromEntries(conditions) };
          return origin({ ...current!, fields });
        };
        const model = new ModelCache(origin, options);
        const client = bed.plane.client();
        for (const [index, request] of requests.entries()) {
          current = request;
          seen = [];
          bed.now = request.at;
          client.send(wireOf(`seed-${seed}.example`, request));
          const reply = await client.reply();
          await refreshes.done();
          const wanted = model.answer(request);
          const body = reply.status === 504 ? '' : reply.body.toString();
          const got = { status: reply.status, body, age: ageOf(reply), origin: seen };
          assert.equal(
            got,
            { status: wanted.status, body: wanted.body, age: wanted.age, origin: [...wanted.origin] },
            `seed ${seed}, request ${index}: ${JSON.stringify(request)} ${reply.header('cache-status')}`,
          );
        }
        client.destroy();
      }
    } finally {
      await bed.close();
    }
  });
}

test.run();
