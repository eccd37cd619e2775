/** `npm run bench -- NAME [--json] [--rounds N]`: runs one benchmark and prints what it found. */
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

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '5' } },
  });
  const all = await benchmarks();
  const benchmark = all.find(({ name }) => name === positionals[0]);
  const rounds = Number(values.rounds);
  if (benchmark === undefined || positionals.length !== 1 || !Number.isInteger(rounds) || rounds < 1) {
    const list = all.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n');
    process.stderr.write(`npm run bench -- NAME [--json] [--rounds N]\n\n${list}\n`);
    return 2;
  }
  const report = await benchmark.run({ rounds, progress: (text) => process.stderr.write(`${text}\n`) });
  process.stdout.write(values.json ? `${JSON.stringify({ version: 1, ...report }, null, 2)}\n` : markdown(report));
  return 0;
}

process.exitCode = await main();
