/** Time of a live reload with many consumers and policies, from saved text to the generation that serves. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import toml from 'toml';
import { Gateway } from '../src/control/gateway.js';
import { type Benchmark, type BenchOptions, median, type Report, ratio, timedClean, verdict } from './kit.js';

const CONSUMERS = 10_000;
const POLICIES = 200;
const ROUNDS = 7;
/** Milliseconds. */
const TARGET = 300;

/** `edit` changes the key of one consumer. */
export function specText(consumers: number, policies: number, edit: number): string {
  const lines = ['spec = 1', '[listener.main]', 'address = "127.0.0.1:0"'];
  lines.push('[service.shop]', 'targets = ["http://127.0.0.1:9"]', '[plan.gold.limits]', 'limit-0 = "1000/min"');
  lines.push('[policy.keys]', 'use = "api-key"');
  for (let at = 0; at < policies - 1; at++) {
    lines.push(`[policy.limit-${at}]`, 'use = "rate-limit"', 'limit = "100/min"', 'by = "consumer"');
    lines.push('[[route]]', `name = "route-${at}"`, `match = "GET /things-${at}/{id:int}"`, 'to = "shop"');
    lines.push(`policies = ["keys", "limit-${at}"]`);
  }
  for (let at = 0; at < consumers; at++) {
    const key = createHash('sha256')
      .update(at === 0 ? `key ${edit}` : `key of ${at}`)
      .digest('hex');
    lines.push(`[consumer.customer-${at}]`, 'plan = "gold"', `api_keys = ["sha256:${key}"]`);
  }
  return `${lines.join('\n')}\n`;
}

async function run({ rounds = ROUNDS, quick, progress }: BenchOptions): Promise<Report> {
  const consumers = quick ? CONSUMERS / 100 : CONSUMERS;
  const folder = mkdtempSync(join(tmpdir(), 'gw-bench-'));
  const path = join(folder, 'gateway.toml');
  const text = specText(consumers, POLICIES, 0);
  progress(`${consumers} consumers, ${POLICIES} policies, ${(text.length / 1e6).toFixed(1)} MB of text`);
  writeFileSync(path, text);
  const gateway = await Gateway.start({ spec: path, adminSocket: false });
  try {
    const times: number[] = [];
    const parses: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      writeFileSync(path, specText(consumers, POLICIES, round));
      const begun = performance.now();
      const reload = await gateway.reload();
      times.push(performance.now() - begun);
      if (reload?.outcome !== 'live') throw new Error(`The reload was rejected: ${reload?.summary}`);
      parses.push(timedClean(() => toml.parse(text)) / 1e6);
    }
    return report(consumers, median(times), median(parses));
  } finally {
    await gateway.close();
    rmSync(folder, { recursive: true });
  }
}

function report(consumers: number, total: number, parse: number): Report {
  return {
    title: 'reload',
    tables: [
      {
        title: `${consumers.toLocaleString('en')} consumers, ${POLICIES} policies, one consumer changed`,
        columns: ['stage', 'ms', 'relative to toml.parse'],
        rows: [
          ['text to the serving generation', total.toFixed(0), ratio(total, parse)],
          ['of these, toml.parse', parse.toFixed(0), ratio(parse, parse)],
        ],
      },
    ],
    notes: [verdict(total <= TARGET, `a reload takes ${total.toFixed(0)} ms (at most ${TARGET})`)],
    peers: { found: ['toml'], missing: [] },
  };
}

const benchmark: Benchmark = {
  name: 'reload',
  summary: 'time of a live reload with 10,000 consumers and 200 policies',
  run,
};
export default benchmark;
