/** `npm run bench -- NAME [SCENARIO...] [--json] [--quick] [--rounds N]`: runs one benchmark and prints its report. */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type Benchmark, markdown } from './kit.js';

const FOLDER = dirname(fileURLToPath(import.meta.url));

function isBenchmark(value: unknown): value is Benchmark {
  return typeof value === 'object' && value !== null && 'run' in value && 'summary' in value;
}

async function benchmarks(): Promise<Benchmark[]> {
  const found: Benchmark[] = [];
  for (const file of readdirSync(FOLDER).sort()) {
    if (!file.endsWith('.js') || file === 'run.js') continue;
    const module: { readonly default?: unknown } = await import(pathToFileURL(join(FOLDER, file)).href);
    if (isBenchmark(module.default)) found.push(module.default);
  }
  return found;
}

function usage(all: readonly Benchmark[]): string {
  const list = all.flatMap(({ name, summary, scenarios }) => [
    `  ${name.padEnd(14)} ${summary}`,
    ...(scenarios ?? []).map((scenario) => `    ${scenario.name.padEnd(12)} ${scenario.summary}`),
  ]);
  return `npm run bench -- NAME [SCENARIO...] [--json] [--quick] [--rounds N]\n\n${list.join('\n')}\n`;
}

/** The benchmark and options that the arguments select; undefined if the arguments are invalid. */
function parseCommandLine(all: readonly Benchmark[]) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
    },
  });
  const [wanted, ...scenarios] = positionals;
  const benchmark = all.find(({ name }) => name === wanted);
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (benchmark === undefined || (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1))) return undefined;
  const known = new Set(benchmark.scenarios?.map(({ name }) => name));
  return scenarios.every((name) => known.has(name)) ? { benchmark, ...values, rounds, scenarios } : undefined;
}

async function main(): Promise<number> {
  const all = await benchmarks();
  const wanted = parseCommandLine(all);
  if (wanted === undefined) {
    process.stderr.write(usage(all));
    return 2;
  }
  const { benchmark, json, ...options } = wanted;
  const report = await benchmark.run({ ...options, progress: (text) => process.stderr.write(`${text}\n`) });
  process.stdout.write(json ? `${JSON.stringify({ version: 1, ...report }, null, 2)}\n` : markdown(report));
  return 0;
}

process.exitCode = await main();
