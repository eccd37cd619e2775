/** Time from spec text to bundle by stage, compared with the TOML parser alone on the same text. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import toml from 'toml';
import { compile } from '../src/compiler/index.js';
import { lint } from '../src/lint/index.js';
import { loadSpec } from '../src/spec/index.js';
import type { Model } from '../src/spec/model.js';
import { type Benchmark, type BenchOptions, interleave, type Report, ratio, timedClean, verdict } from './kit.js';

const ROUTES = 10_000;

/** A typical spec: services, a shared policy, typed parameters, some inline policies. */
export function specText(routes: number): string {
  const lines = ['spec = 1', '[listener.main]', 'address = "127.0.0.1:8080"'];
  const services = Math.ceil(routes / 20);
  for (let i = 0; i < services; i++) {
    lines.push(`[service.service-${i}]`, `targets = ["http://127.0.0.1:${10_000 + (i % 50_000)}"]`);
  }
  lines.push('[policy.polite]', 'use = "rate-limit"', 'limit = "100/min"', 'by = "ip"');
  for (let i = 0; i < routes; i++) {
    const method = ['GET', 'POST', 'PUT', 'DELETE'][i % 4]!;
    const id = i % 3 === 0 ? '{id:int}' : '{id}';
    const inPlace = i % 5 === 0 ? ', { use = "headers", request.set = { x-item = "{param.id}" } }' : '';
    lines.push(
      '',
      '[[route]]',
      `name = "route-${i}"`,
      `match = "${method} /area-${i % 97}/things-${i >> 2}/${id}/details"`,
      `to = "service-${Math.floor(i / 20)}"`,
      `policies = ["polite"${inPlace}]`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function load(path: string): Model {
  const { value, diagnostics } = loadSpec({ path });
  const error = diagnostics.find(({ severity }) => severity === 'error');
  if (value === undefined || error !== undefined) throw new Error(`The spec has errors: ${error?.message}`);
  return value;
}

async function run({ rounds, progress }: BenchOptions): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'gw-bench-'));
  try {
    const path = join(folder, 'gateway.toml');
    const text = specText(ROUTES);
    writeFileSync(path, text);
    progress(`${ROUTES} routes, ${(text.length / 1e6).toFixed(1)} MB of text`);
    return measure(path, text, rounds);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function measure(path: string, text: string, rounds: number | undefined): Report {
  const model = load(path);
  const stage = (name: string, work: () => void) => ({ name, measure: () => timedClean(work) / 1e6 });
  const standings = interleave(
    [
      stage('toml.parse', () => toml.parse(text)),
      stage('load (text to model)', () => load(path)),
      // A new object each time: lint caches its results per model.
      stage('lint', () => lint({ ...model })),
      stage('compile (lower, passes, emit)', () => compile(model)),
    ],
    rounds,
  );
  const [parse, , linted, compiled] = standings.map(({ median }) => median) as [number, number, number, number];
  const { stats } = compile(model);
  return {
    title: 'compile',
    tables: [
      {
        title: `${ROUTES.toLocaleString('en')} routes`,
        columns: ['stage', 'ms', 'relative to toml.parse'],
        rows: standings.map(({ name, median }) => [name, median.toFixed(0), ratio(median, parse)]),
      },
    ],
    notes: [
      `trie of ${(stats.trieBytes / 1e6).toFixed(1)} MB, program of ${(stats.programBytes / 1e6).toFixed(1)} MB`,
      verdict(
        linted + compiled <= parse,
        `lint + compile take ${ratio(linted + compiled, parse)} of toml.parse (at most 1x)`,
      ),
    ],
    peers: { found: ['toml'], missing: [] },
  };
}

const benchmark: Benchmark = {
  name: 'compile',
  summary: 'time from text to bundle by stage, compared with toml.parse',
  run,
};
export default benchmark;
