/** The demo shop as it was before consumers had groups and credentials: every decision is the one recorded then. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bundle } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import { Explainer } from '../../src/control/explain.js';
import { checkSpec } from '../../src/lint/index.js';

const FOLDER = 'fixtures/consumers';

interface Recorded {
  readonly method: string;
  readonly url: string;
  readonly key: string | null;
  readonly route: string | null;
  readonly outcome: string;
  readonly consumer: string | null;
  readonly status: number | null;
  readonly code: string | null;
  /** Step, outcome, why. */
  readonly decisions: readonly (readonly [string, string, string])[];
}

const clock = { now: () => 1_800_000_000_000, monotonic: () => 0 };
const mocks = Object.fromEntries(['products', 'users', 'orders', 'payments'].map((name) => [name, { status: 200 }]));

function bundleOf(text = readFileSync(`${FOLDER}/gateway.toml`, 'utf8')): Bundle {
  const { value, diagnostics } = checkSpec({ path: `${FOLDER}/gateway.toml`, text });
  assert.equal(diagnostics, []);
  return compile(value!).bundle;
}

async function decided(bundle: Bundle, { method, url, key }: Recorded): Promise<Recorded> {
  const headers = { ...(key === null ? {} : { 'x-api-key': key }), 'x-tenant': 'forged' };
  const explainer = new Explainer(bundle, { clock, env: {} });
  try {
    const { route, outcome, consumer, reply, decisions } = await explainer.explain({ method, url, headers, mocks });
    return {
      method,
      url,
      key,
      route: route?.name ?? null,
      outcome,
      consumer,
      status: reply?.status ?? null,
      code: reply?.code ?? null,
      // The removal of forged fields is reported since then; before, the policy that sets them replaced them silently.
      decisions: decisions.flatMap(({ step, outcome: does, why }) =>
        step === 'identity fields' ? [] : [[step, does, why] as const],
      ),
    };
  } finally {
    explainer.close();
  }
}

const recorded = readFileSync(`${FOLDER}/decisions.jsonl`, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

test('each request is decided as before', async () => {
  const bundle = bundleOf();
  assert.ok(recorded.length > 90);
  for (const each of recorded) assert.equal(await decided(bundle, each), each);
});

test('plan.limits replace the limits of policies as before', async () => {
  const bundle = bundleOf();
  for (const [key, url, passes] of [
    ['acme-demo-key', '/users', 600],
    ['globex-demo-key', '/users', 60],
    ['acme-demo-key', '/payments', 5],
  ] as const) {
    const explainer = new Explainer(bundle, { clock, env: {} });
    const statuses: (number | null | undefined)[] = [];
    const method = url === '/users' ? 'GET' : 'POST';
    for (let at = 0; at < passes + 2; at++)
      statuses.push((await explainer.run({ method, url, headers: { 'x-api-key': key }, mocks })).status);
    explainer.close();
    assert.is(statuses.indexOf(429), passes, `${key} ${url}`);
  }
});

test('credentials with only a key mean the same as api_keys', async () => {
  const text = readFileSync(`${FOLDER}/gateway.toml`, 'utf8');
  const other = text.replace(/^api_keys = \[("[^"]+")\]$/gm, 'credentials = [{ key = $1 }]');
  assert.is.not(other, text);
  const [one, two] = [bundleOf(text), bundleOf(other)];
  assert.equal(two.program.consumers, one.program.consumers);
});

test.run();
