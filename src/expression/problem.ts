/** Problems of an expression, before they are located in a spec. */
import { FUNCTIONS, MACROS } from './environment.js';

export interface ExpressionProblem {
  readonly code:
    | 'expression/syntax'
    | 'expression/unknown-name'
    | 'expression/type'
    | 'expression/unsupported'
    | 'expression/no-reply'
    | 'pattern/invalid';
  readonly message: string;
  readonly help?: string;
  /** In UTF-16 code units of the expression. */
  readonly start: number;
  readonly end: number;
}

/** Ends a check. */
export class Problem extends Error {
  constructor(readonly problem: ExpressionProblem) {
    super(problem.message);
  }
}

const names = (list: readonly string[]): string => list.map((name) => `\`${name}\``).join(', ');

export const SUPPORTED = `Supported are literals, lists, operators, ${names(['has', 'matches', ...Object.keys(FUNCTIONS)])}, and over lists ${names(MACROS)}.`;
