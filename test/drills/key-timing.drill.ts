/**
 * The time of `api-key` does not tell a key that nobody has from one that is almost right, and that of `http-signature` not an unknown
 * key id from a wrong signature: Welch's t-test over interleaved samples. The slowest hundredth is left out, as pauses of the system are in it.
 */
import { createHash, generateKeyPairSync, randomBytes, randomInt } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Exchange, PolicyInstance } from '../../src/policies/contract.js';
import { bed, exchangeOf } from '../policies/http-signature-kit.js';
import { create, exchange, noBody, world } from '../policies/support.js';
import { Signer } from '../support/signer.js';

const SAMPLES = 100_000;
const BATCH = 8;
/**
 * Requests of each kind for one policy. Each is sent once, and the next ones go to a policy with another key: the time of a check depends
 * on the signature and on the key, so a few of them would differ by chance, and in each measurement.
 */
const SIGNED = 1000;
/** Beyond it, the difference is hardly by chance: the bound that is usual for leaks. */
const MOST_T = 4.5;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
/** The same text in one piece: V8 keeps a joined text in parts, which would take longer to hash. */
const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');
const fresh = (): string => randomBytes(20).toString('hex');

function welch(a: Float64Array, b: Float64Array): number {
  const [one, other] = [moments(a), moments(b)];
  return (one.mean - other.mean) / Math.sqrt(one.variance / one.count + other.variance / other.count);
}

function moments(all: Float64Array): { readonly mean: number; readonly variance: number; readonly count: number } {
  const kept = all
    .slice()
    .sort()
    .subarray(0, Math.floor(all.length * 0.99));
  const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length;
  const variance = kept.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (kept.length - 1);
  return { mean, variance, count: kept.length };
}

/** The policy http-signature with the key `k1`, which is a new one. */
function withNewKey(): PolicyInstance {
  const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
  return bed(`keys = [{ id = "k1", public_key = """${pem}""" }]\n`).policy;
}

/** Both kinds under the same conditions, in an order that has no pattern. */
const inAnyOrder = (): readonly [0, 1] | readonly [1, 0] => (randomInt(2) === 0 ? [0, 1] : [1, 0]);

/** Up to three times: a difference in the code shows each time, one from other work of the machine does not. */
async function same(measure: () => number | Promise<number>): Promise<void> {
  const found: number[] = [];
  while (found.length < 3 && !found.some((t) => Math.abs(t) < MOST_T)) found.push(await measure());
  assert.ok(Math.abs(found.at(-1)!) < MOST_T, `t = ${found.map((t) => t.toFixed(2)).join(', ')}`);
}

test('unknown keys and almost right keys take the same time', async () => {
  const around = world();
  const real = [...Array(1000)].map(fresh);
  for (const [at, key] of real.entries())
    around.consumers.push({
      name: `consumer-${at}`,
      groups: [],
      tags: {},
      credentials: [{ kind: 'key', name: 'key-1', id: `sha256:${sha256(key)}` }],
    });
  const policy = create('api-key', '', around);
  const ask = (key: string): void => {
    const found = policy.authenticate!(exchange({ headers: [['x-api-key', key]] }), noBody);
    assert.is((found as { outcome: string }).outcome, 'refused');
  };
  const almost = (): string => {
    const key = real[randomInt(real.length)]!;
    // Each time another one: few keys would differ from many in the lengths of their searches in the table, by chance.
    return key.slice(0, -6) + randomBytes(3).toString('hex');
  };
  for (let warm = 0; warm < 20_000; warm++) ask(warm % 2 === 0 ? fresh() : almost());
  const measure = (): number => {
    const times = [new Float64Array(SAMPLES), new Float64Array(SAMPLES)] as const;
    const next: [number, number] = [0, 0];
    while (next[0] < SAMPLES || next[1] < SAMPLES) {
      const kind = next[0] >= SAMPLES ? 1 : next[1] >= SAMPLES ? 0 : randomInt(2);
      // Made before the clock starts, and both in the same way.
      const keys = [...Array(BATCH)].map(() => flat([almost(), fresh()][kind]!));
      const started = process.hrtime.bigint();
      for (const key of keys) ask(key);
      times[kind as 0 | 1][next[kind as 0 | 1]++] = Number(process.hrtime.bigint() - started);
    }
    return welch(...times);
  };
  await same(measure);
});

test('unknown key ids and wrong signatures take the same time', async () => {
  const key = generateKeyPairSync('ed25519').privateKey;
  const ids = [() => 'k1', () => String.fromCharCode(randomInt(97, 107), randomInt(97, 123))] as const;
  type Requests = readonly [Exchange[], Exchange[]];
  const signed = (): Requests => {
    const made: Requests = [[], []];
    for (let at = 0; at < SIGNED; at++)
      for (const kind of inAnyOrder()) made[kind].push(exchangeOf({ by: new Signer({ keyid: ids[kind](), key }) }));
    return made;
  };
  const ask = async (policy: PolicyInstance, request: Exchange): Promise<number> => {
    const started = process.hrtime.bigint();
    const { outcome } = await policy.authenticate!(request, noBody);
    const took = Number(process.hrtime.bigint() - started);
    assert.is(outcome, 'refused');
    return took;
  };
  const warm = withNewKey();
  for (const request of [signed(), signed()].flat(2)) await ask(warm, request);
  await same(async () => {
    const times = [new Float64Array(SAMPLES), new Float64Array(SAMPLES)] as const;
    for (let at = 0; at < SAMPLES; at += SIGNED) {
      const [policy, requests] = [withNewKey(), signed()];
      for (let one = 0; one < SIGNED; one++)
        for (const kind of inAnyOrder()) times[kind][at + one] = await ask(policy, requests[kind][one]!);
    }
    return welch(...times);
  });
});

test('the test finds a difference of one comparison that stops early', () => {
  const [short, long] = [new Float64Array(20_000), new Float64Array(20_000)];
  for (let at = 0; at < short.length; at++) {
    short[at] = 1000 + randomInt(200);
    long[at] = 1010 + randomInt(200);
  }
  assert.ok(Math.abs(welch(short, long)) > MOST_T);
});

test.run();
