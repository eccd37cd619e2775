/**
 * `npm run fuzz [-- --cases N] [--seed S] [--minutes M] [--kind requests|replies] [--bed plain|pipelined|policies]
 * [--case I]`: runs the fuzz tests for longer. Goes through all kinds and beds with increasing seeds until the number
 * of cases or minutes is reached (default: one minute). Exit code 1 if a law is broken.
 */
import { parseArgs } from 'node:util';
import type { BedKind } from './bed.js';
import { type FuzzReport, fuzz, type Kind } from './run.js';

/** The kinds and beds in turn, with more cases for the parts with more code. */
const TURNS: readonly (readonly [Kind, BedKind, cases: number])[] = [
  ['requests', 'plain', 400],
  ['replies', 'plain', 300],
  ['requests', 'pipelined', 200],
  ['replies', 'pipelined', 100],
  ['requests', 'policies', 150],
  ['replies', 'policies', 50],
];

class Usage extends Error {}

function whole(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Usage(`--${option} must be a whole number, not ${text}`);
  return value;
}

interface Plan {
  readonly turns: typeof TURNS;
  readonly seed: number;
  readonly cases: number;
  readonly until: number;
  readonly only: number | undefined;
}

function planOf(args: readonly string[]): Plan {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { cases: text, seed: text, minutes: text, kind: text, bed: text, case: text },
  });
  const turns = TURNS.filter(([kind, bed]) => kind === (values.kind ?? kind) && bed === (values.bed ?? bed));
  if (turns.length === 0)
    throw new Usage('--kind must be requests or replies; --bed must be plain, pipelined or policies');
  const only = whole(values.case, 'case');
  if (only !== undefined && (values.seed === undefined || turns.length > 1))
    throw new Usage('--case requires --seed, --kind and --bed');
  const cases = whole(values.cases, 'cases');
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  if (minutes !== undefined && !(minutes > 0))
    throw new Usage(`--minutes must be a positive number, not ${values.minutes}`);
  const bound = minutes ?? (cases === undefined && only === undefined ? 1 : Number.POSITIVE_INFINITY);
  return {
    turns,
    seed: whole(values.seed, 'seed') ?? Math.floor(Math.random() * 2 ** 31),
    cases: cases ?? Number.POSITIVE_INFINITY,
    until: Date.now() + bound * 60_000,
    only,
  };
}

function printReport(what: string, { cases, forwarded, refused, cut }: FuzzReport): void {
  console.log(`${what}: ${cases} cases, ${forwarded} messages forwarded, ${refused} refused, ${cut} aborted`);
}

/** Runs the plan; returns false if a law is broken. */
async function run(plan: Plan): Promise<boolean> {
  const { until, only } = plan;
  let left = plan.cases;
  for (let seed = plan.seed; left > 0 && Date.now() < until; seed++) {
    for (const [kind, bed, share] of plan.turns) {
      const from = only ?? 0;
      const to = from + Math.min(left, only === undefined ? share : 1);
      const report = await fuzz({ kind, bed, seed, from, to, until });
      left -= report.cases;
      printReport(`seed ${seed}, ${kind} on ${bed}`, report);
      if (report.failure !== undefined) {
        console.log(report.failure);
        return false;
      }
      if (left <= 0 || Date.now() >= until || only !== undefined) return true;
    }
  }
  return true;
}

try {
  process.exitCode = (await run(planOf(process.argv.slice(2)))) ? 0 : 1;
} catch (error) {
  if (!(error instanceof Usage) && !(error instanceof TypeError && 'code' in error)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
