/** Evaluates the constant parts of an expression at compile time. */
import type { Dfa, Json } from '../bundle/types.js';
import { constantValue } from './condition.js';
import { factOf } from './environment.js';
import { ExpressionError, type Value } from './values.js';

type Code = readonly Json[];

const isCode = (code: Json): code is Code => Array.isArray(code);

/** Code with the same value, with constant parts evaluated. A constant part that fails stays as it is. */
export function foldCode(code: Json, patterns: readonly Dfa[]): Json {
  return new Folder(patterns).fold(code, 0);
}

const READS: ReadonlySet<Json> = new Set(['fact', 'has-fact', 'field', 'has-field']);
/** Operations that are bool whatever their operands are, if they do not fail. */
const BOOL: ReadonlySet<Json> = new Set(
  '&& || ! == != < <= > >= in matches startsWith endsWith contains has-fact has-field has-item'.split(' '),
);

class Folder {
  readonly #patterns: readonly Dfa[];

  constructor(patterns: readonly Dfa[]) {
    this.#patterns = patterns;
  }

  /** `depth`: number of enclosing macros. */
  fold(code: Json, depth: number): Json {
    if (!isCode(code)) return code;
    const [op, ...operands] = code;
    const inside = op === 'each' ? depth + 1 : depth;
    // The first operand of a macro is its name, the second its range.
    const folded = operands.map((operand, index) => this.fold(operand, op === 'each' && index < 2 ? depth : inside));
    return this.#simplified([op!, ...folded], depth);
  }

  #simplified(code: Code, depth: number): Json {
    const [op, a, b, c] = code;
    if (op === '&&' || op === '||') {
      const decides = op === '||';
      if (a === decides || b === decides) return decides;
      if (a === !decides && isBool(b!)) return b!;
      if (b === !decides && isBool(a!)) return a!;
    }
    if (op === '?:' && typeof a === 'boolean') return a ? b! : c!;
    if (op === '!' && isCode(a!) && a[0] === '!' && isBool(a[1]!)) return a[1]!;
    return depth === 0 && isConstant(code) ? this.#evaluated(code) : code;
  }

  #evaluated(code: Code): Json {
    try {
      return literalOf(constantValue(code, this.#patterns)) ?? code;
    } catch (error) {
      if (error instanceof ExpressionError) return code;
      throw error;
    }
  }
}

/** Whether nothing in it reads an exchange. */
export const isConstant = (code: Json): boolean => !isCode(code) || (!READS.has(code[0]!) && code.every(isConstant));

function isBool(code: Json): boolean {
  if (!isCode(code)) return typeof code === 'boolean';
  if (code[0] === 'fact') return factOf(String(code[1]))?.type === 'bool';
  return BOOL.has(code[0]!) || (code[0] === 'each' && ['exists', 'all', 'exists_one'].includes(String(code[1])));
}

/** Code for a value; undefined for one that JSON cannot carry. */
function literalOf(value: Value): Json | undefined {
  if (typeof value === 'bigint') return ['integer', String(value)];
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? value : undefined;
  if (value === null || typeof value !== 'object') return value;
  if (!Array.isArray(value)) return undefined;
  const items = (value as readonly Value[]).map(literalOf);
  return items.every((item) => item !== undefined) ? ['list', ...items] : undefined;
}
