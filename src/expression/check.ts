/** Checks expressions at compile time: CEL by cel-js, over the environment of environment.ts. */
import {
  type TypeError as CheckError,
  Environment,
  type ObjectSchema,
  ParseError,
  type ParseResult,
} from '@marcbachmann/cel-js';
import type { ExpressionEntry } from '../bundle/types.js';
import type { CheckedExpression, ExpressionLanguage, ExpressionRead as Read } from '../schema/decoder.js';
import { suggest } from '../schema/suggest.js';
import { constantValue } from './condition.js';
import { FACTS, FUNCTIONS, MACROS } from './environment.js';
import { foldCode, isConstant } from './fold.js';
import { firstReplyRead, lowerExpression } from './lower.js';
import { type ExpressionProblem, Problem, SUPPORTED } from './problem.js';
import { ExpressionError } from './values.js';

export type { CheckedExpression } from '../schema/decoder.js';
export type { ExpressionProblem } from './problem.js';

export interface ExpressionScope {
  /** Whether the expression is evaluated when there is a reply. */
  readonly reply: boolean;
}

/** Longest expression, in UTF-16 code units. */
export const MAX_SOURCE = 4096;
/** Largest syntax tree. */
export const MAX_NODES = 1000;

/** Checks an expression whose result must be a boolean. Never throws. */
export function checkExpression(source: string, scope: ExpressionScope): CheckedExpression | ExpressionProblem {
  try {
    return checked(source, scope);
  } catch (error) {
    if (error instanceof Problem) return error.problem;
    throw error;
  }
}

/** For decoders of configs with expressions. `spanOf`: locates a part of a text. */
export const languageWith = (spanOf: ExpressionLanguage['spanOf']): ExpressionLanguage => ({
  check: checkExpression,
  spanOf,
});

function checked(source: string, { reply }: ExpressionScope): CheckedExpression {
  if (source.length > MAX_SOURCE)
    throw typeProblem(source, `The expression is longer than ${MAX_SOURCE} characters.`, 'expression/unsupported');
  const parsed = parse(source);
  const { type, error } = parsed.check();
  if (error !== undefined) throw problemOf(source, error);
  const { code, patterns, reads } = lowerExpression(parsed.ast);
  if (type !== 'bool' && type !== 'dyn')
    throw typeProblem(source, `The expression is of type ${type}, but a condition must be bool.`);
  const early = reply ? undefined : firstReplyRead(reads);
  if (early !== undefined) throw new Problem(noReply(early));
  const folded = foldCode(code, patterns);
  if (typeof folded !== 'boolean' && isConstant(folded)) throw typeProblem(source, failure(folded, patterns));
  // Keys in the order of the canonical text.
  const entry = { code: folded, ...(patterns.length === 0 ? {} : { patterns }), source };
  return { entry, constant: typeof folded === 'boolean' ? folded : undefined, reads };
}

/** Why constant code has no boolean value. */
function failure(code: ExpressionEntry['code'], patterns: NonNullable<ExpressionEntry['patterns']>): string {
  try {
    constantValue(code, patterns);
    return 'The result is not a bool.';
  } catch (error) {
    if (error instanceof ExpressionError) return `The expression fails for every request: ${error.message}.`;
    throw error;
  }
}

const noReply = ({ start, end, name }: Read): ExpressionProblem => ({
  code: 'expression/no-reply',
  message: `\`${name}\` is not known yet: the policy acts on the request, before there is a reply.`,
  help: 'Conditions on the reply are possible only for policies without effect on requests, such as `headers` with only `reply`.',
  start,
  end,
});

function parse(source: string): ParseResult {
  try {
    return environment().parse(source);
  } catch (error) {
    if (error instanceof ParseError) throw problemOf(source, error);
    throw error;
  }
}

let built: Environment | undefined;

/** The environment of cel-js, built on first use. It has no state besides. */
function environment(): Environment {
  if (built !== undefined) return built;
  built = new Environment({ limits: { maxAstNodes: MAX_NODES, maxDepth: 32, maxListElements: 200 } });
  for (const [name, type] of Object.entries(schemaOf()))
    if (typeof type === 'string') built.registerVariable(name, type);
    else built.registerVariable(name, { schema: type });
  return built;
}

/** The facts as a tree of names. */
function schemaOf(): ObjectSchema {
  const root: ObjectSchema = {};
  for (const { name, type } of FACTS) {
    const steps = name.split('.');
    let at = root;
    for (const step of steps.slice(0, -1)) {
      const next = at[step];
      if (typeof next === 'object') at = next;
      else at = at[step] = {};
    }
    at[steps.at(-1)!] = type;
  }
  return root;
}

function typeProblem(source: string, message: string, code: ExpressionProblem['code'] = 'expression/type'): Problem {
  return new Problem({ code, message, help: TYPE_HELP, start: 0, end: source.length });
}

/** A problem that cel-js found. */
function problemOf(source: string, error: ParseError | CheckError): Problem {
  const { start, end } = error.range ?? { start: 0, end: source.length };
  const place = { start: Math.min(start, source.length), end: Math.min(end, source.length) };
  const written = source.slice(place.start, place.end);
  if (error.code === 'unknown_variable') return unknownName(`\`${written}\``, written, ROOTS, place);
  if (error.code === 'no_such_key') {
    const whole = /[\w.]+$/.exec(source.slice(0, place.start).replace(/\.\s*$/, ''))?.[0] ?? '';
    return unknownName(`\`${whole}.${written}\``, written, fieldsOf(whole), place);
  }
  const called = error.code === 'no_matching_overload' ? /'(?:.*\.)?(\w+)\(/.exec(error.summary)?.[1] : undefined;
  if (called !== undefined && !CALLABLE.includes(called)) return unknownFunction(called, source, place);
  const message = sentence(error.summary);
  if (error instanceof ParseError)
    return new Problem({ code: 'expression/syntax', message, help: SYNTAX_HELP, ...place });
  const help = called === 'has' || written.startsWith('has(') ? HAS_HELP : TYPE_HELP;
  return new Problem({ code: 'expression/type', message, help, ...place });
}

const ROOTS = [...new Set(FACTS.map(({ name }) => name.replace(/\..*/, '')))];
const CALLABLE = ['has', 'matches', ...Object.keys(FUNCTIONS), ...MACROS];
const TYPE_HELP =
  'A condition compares values of one type and gives a bool. `int()`, `double()` and `string()` convert a value.';
const HAS_HELP =
  '`has()` takes a field, such as `has(consumer.name)`; for other names write `"x-name" in request.headers`.';
const SYNTAX_HELP =
  'Expressions are written in CEL, for example `request.method == "POST" && "x-debug" in request.headers`.';

/** Names directly below a path of the environment. */
const fieldsOf = (path: string): string[] => [
  ...new Set(
    FACTS.filter(({ name }) => name.startsWith(`${path}.`)).map(
      ({ name }) => name.slice(path.length + 1).split('.')[0]!,
    ),
  ),
];

interface Place {
  readonly start: number;
  readonly end: number;
}

function unknownName(shown: string, written: string, known: readonly string[], place: Place): Problem {
  const near = suggest(written, known);
  const message = `Unknown name ${shown}${near === undefined ? '.' : `; did you mean \`${near}\`?`}`;
  const help = `Known names: ${known.map((name) => `\`${name}\``).join(', ')}.`;
  return new Problem({ code: 'expression/unknown-name', message, help, ...place });
}

function unknownFunction(name: string, source: string, { start, end }: Place): Problem {
  const near = suggest(name, CALLABLE);
  const message = `Unknown function \`${name}\`${near === undefined ? '.' : `; did you mean \`${near}\`?`}`;
  const at = source.slice(start, end).lastIndexOf(`${name}(`);
  const place = at < 0 ? { start, end } : { start: start + at, end: start + at + name.length };
  return new Problem({ code: 'expression/unknown-name', message, help: SUPPORTED, ...place });
}

/** A message of cel-js as a sentence. */
const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\$(?=[a-z])/g, '')}.`.replace(/\.\.$/, '.');
