/** Runs many cases, and shrinks the first one that breaks a law. */
import { Bed, type BedKind } from './bed.js';
import { Dice } from './dice.js';
import { runRequestCase } from './laws.js';
import { BrokenLaw, newTally, type Tally } from './meaning.js';
import { makeReplyCase, type ReplyCase } from './replies.js';
import { runReplyCase } from './reply-laws.js';
import { type Crowd, makeRequestCase, type RequestCase } from './requests.js';
import { shrinkReplyCase, shrinkRequestCase } from './shrink.js';

/** `requests`: malformed input from clients. `replies`: malformed input from the target. */
export type Kind = 'requests' | 'replies';

export interface FuzzOptions {
  readonly kind: Kind;
  readonly bed: BedKind;
  readonly seed: number;
  /** Cases `from` to `to - 1` of the seed. */
  readonly from: number;
  readonly to: number;
  /** Do not begin a case after this time (Date.now). */
  readonly until?: number;
  readonly shrink?: boolean;
}

export interface FuzzReport extends Tally {
  cases: number;
  /** The text to print if a law is broken. */
  failure: string | undefined;
}

const FEW: Crowd = { clients: [1, 1, 1, 2, 3], risky: 0.25, risk: 0.3 };
/** Many simultaneous clients, and a target that lets pipelined requests wait. */
const MANY: Crowd = { clients: [1, 3, 6, 10], risky: 0.5, risk: 0.25 };
/** Cases that run concurrently, each on its own bed: a case mostly waits. */
const LANES = 4;

type AnyCase =
  | { readonly kind: 'requests'; readonly given: RequestCase }
  | { readonly kind: 'replies'; readonly given: ReplyCase };

function makeCase(kind: Kind, bed: BedKind, dice: Dice): AnyCase {
  if (kind === 'requests') return { kind, given: makeRequestCase(dice, bed === 'pipelined' ? MANY : FEW) };
  return { kind, given: makeReplyCase(dice, bed === 'pipelined') };
}

function runCase(bed: Bed, one: AnyCase, tally: Tally): Promise<void> {
  return one.kind === 'requests' ? runRequestCase(bed, one.given, tally) : runReplyCase(bed, one.given, tally);
}

/** The law that a case breaks on a new bed; undefined if none. */
async function verdict(kind: BedKind, one: AnyCase): Promise<BrokenLaw | undefined> {
  const bed = await Bed.start(kind);
  try {
    await runCase(bed, one, newTally());
    return undefined;
  } catch (error) {
    if (error instanceof BrokenLaw) return error;
    throw error;
  } finally {
    await bed.close();
  }
}

/** The shrunk failing case with the broken law and the command that reproduces it. */
async function reproduction(options: FuzzOptions, index: number, one: AnyCase, law: BrokenLaw): Promise<string> {
  const lines = [
    `Broken: ${law.message}`,
    `${options.kind} on ${options.bed}, seed ${options.seed}, case ${index}:`,
    `  npm run fuzz -- --kind ${options.kind} --bed ${options.bed} --seed ${options.seed} --case ${index}`,
  ];
  if (options.shrink === false) return lines.join('\n');
  let small = one;
  let last = await verdict(options.bed, one);
  if (last === undefined) {
    lines.push('The case alone does not fail on a new gateway: it depends on earlier cases or on timing.');
    return [...lines, JSON.stringify(one.given)].join('\n');
  }
  const still = async (candidate: AnyCase): Promise<boolean> => {
    const found = await verdict(options.bed, candidate);
    if (found?.law !== law.law) return false;
    last = found;
    return true;
  };
  if (one.kind === 'requests')
    small = { kind: one.kind, given: await shrinkRequestCase(one.given, (given) => still({ kind: one.kind, given })) };
  else small = { kind: one.kind, given: await shrinkReplyCase(one.given, (given) => still({ kind: one.kind, given })) };
  lines.push(`Shrunk case: ${last.message}`, JSON.stringify(small.given, null, 1));
  return lines.join('\n');
}

/** Runs the cases of a seed; stops at the first one that breaks a law. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const report: FuzzReport = { ...newTally(), cases: 0, failure: undefined };
  let next = options.from;
  let broken: { index: number; one: AnyCase; law: BrokenLaw } | undefined;
  const lane = async (): Promise<void> => {
    const bed = await Bed.start(options.bed);
    try {
      while (
        broken === undefined &&
        next < options.to &&
        !(options.until !== undefined && Date.now() > options.until)
      ) {
        const index = next++;
        const one = makeCase(options.kind, options.bed, Dice.ofCase(options.seed, index));
        try {
          await runCase(bed, one, report);
        } catch (error) {
          if (!(error instanceof BrokenLaw)) throw error;
          broken ??= { index, one, law: error };
        }
        report.cases++;
      }
    } finally {
      report.deepest = Math.max(report.deepest, bed.target.deepest);
      await bed.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(LANES, options.to - options.from) }, lane));
  if (broken !== undefined) {
    const { index, one, law } = broken as { index: number; one: AnyCase; law: BrokenLaw };
    report.failure = await reproduction(options, index, one, law);
  }
  return report;
}
