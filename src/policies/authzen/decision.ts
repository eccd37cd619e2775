/** Reads decisions. Only the boolean `true` permits, and only without obligations that are not known. */
import type { Json } from '../contract.js';
import { readJson } from '../kits/json.js';

export interface Verdict {
  readonly permit: boolean;
  /** For the log, without a full stop. */
  readonly why: string;
  /** Index of the check that decided; undefined for all of them. */
  readonly check?: number;
}

const LONGEST_WHY = 160;

type Members = { readonly [name: string]: Json };
const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The verdict of an answer with status 200; undefined if it is not an answer of the API. `checks`: their number, 0 for one alone. */
export function verdictOf(
  bytes: Uint8Array,
  checks: number,
  permit: 'all' | 'any',
  known: readonly string[],
): Verdict | undefined {
  const read = readJson(bytes);
  if (read.fault !== undefined || !isMembers(read.value)) return undefined;
  const answer = read.value;
  if (checks === 0) return one(answer, known);
  // With more decisions than checks, it is not known which one belongs to which check.
  const { evaluations, decision = true } = answer;
  if (!Array.isArray(evaluations) || evaluations.length > checks) return undefined;
  // What the answer says beside the list is about all of them.
  const whole = one({ ...answer, decision }, known);
  return whole.permit ? several(evaluations, checks, permit, known) : whole;
}

function one(answer: Json | undefined, known: readonly string[]): Verdict {
  if (!isMembers(answer)) return { permit: false, why: 'the decision is not an object' };
  const { decision, context } = answer;
  if (decision === false) return { permit: false, why: reasonOf(context) ?? 'denied' };
  if (decision !== true) return { permit: false, why: 'the decision is not a boolean' };
  const unknown = obligationFault(answer['obligations'], known) ?? contextFault(context, known);
  return unknown === undefined ? { permit: true, why: 'permitted' } : { permit: false, why: unknown };
}

/** A context that cannot be read may have obligations. */
function contextFault(context: Json | undefined, known: readonly string[]): string | undefined {
  if (context === undefined || context === null) return undefined;
  return isMembers(context) ? obligationFault(context['obligations'], known) : 'the context is not an object';
}

/** An obligation is a text, or an object with `id`, `name` or `type`. */
function obligationFault(obligations: Json | undefined, known: readonly string[]): string | undefined {
  if (obligations === undefined || obligations === null) return undefined;
  if (!Array.isArray(obligations)) return 'the obligations are not a list';
  for (const each of obligations as readonly Json[]) {
    const name = isMembers(each) ? (each['id'] ?? each['name'] ?? each['type']) : each;
    if (typeof name !== 'string') return 'an obligation has no name';
    if (!known.includes(name)) return `unsupported obligation ${name}`.slice(0, LONGEST_WHY);
  }
  return undefined;
}

/** With `all`, the service may stop at the first denial; with `any`, at the first permit. */
function several(answers: readonly Json[], checks: number, permit: 'all' | 'any', known: readonly string[]): Verdict {
  const verdicts = answers.map((answer) => one(answer, known));
  const decisive = verdicts.findIndex((verdict) => verdict.permit === (permit === 'any'));
  if (decisive >= 0) return { ...verdicts[decisive]!, check: decisive };
  if (verdicts.length < checks) return { permit: false, why: 'a decision is missing', check: verdicts.length };
  const last = verdicts.at(-1);
  return permit === 'all'
    ? { permit: true, why: 'permitted' }
    : { permit: false, why: last?.why ?? 'denied', check: checks - 1 };
}

/** The reason for administrators, or the one for users, or a text. */
function reasonOf(context: Json | undefined): string | undefined {
  if (!isMembers(context)) return undefined;
  const found = [context['reason_admin'], context['reason_user'], context['reason']]
    .map((reason) => (isMembers(reason) ? (reason['en'] ?? Object.values(reason)[0]) : reason))
    .find((reason) => typeof reason === 'string');
  return typeof found === 'string' ? `denied: ${found.replace(/[^\x20-\x7e]/g, '?').slice(0, LONGEST_WHY)}` : undefined;
}
