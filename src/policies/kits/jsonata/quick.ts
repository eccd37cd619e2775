/**
 * Common programs as plain functions: the library visits each node with promises, which costs far more than the node itself.
 *
 * Only what is simple is known here: literals, paths of names, constructors, operators, conditions. Whatever is not (an array
 * as context, values that would be an error, a limit that is reached) throws, and the library evaluates the program from the
 * start: programs change nothing, so both have the same result. Work is paid for as the hooks of the library do it.
 */
import type { AstNode } from './ast.js';
import type { Budget } from './budget.js';

/** What the nodes of one evaluation see. */
interface Scope {
  readonly budget: Budget;
  readonly root: unknown;
  /** By name without `$`; no prototype. */
  readonly variables: Readonly<Record<string, unknown>>;
}

type Run = (context: unknown, scope: Scope) => unknown;

/** The keys of nodes that are known; a node with others means more. */
const COMMON = ['type', 'value', 'position', 'readWhole', 'isName', 'isMember'];
const KNOWN: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    string: [],
    number: [],
    value: [],
    name: [],
    variable: [],
    path: ['steps'],
    unary: ['lhs', 'expressions', 'expression'],
    binary: ['lhs', 'rhs'],
    condition: ['condition', 'then', 'else'],
    block: ['expressions'],
  }).map(([type, keys]) => [type, new Set([...COMMON, ...keys])]),
);

/** Nodes of the largest program: each may be nested in another. */
const MAX_NODES = 500;

/** Thrown for what only the library knows. */
class NotQuick extends Error {}
const NOT_QUICK = new NotQuick('evaluated by the library');

export class QuickProgram {
  /** Nodes that the library would visit at the same time at most. */
  readonly nodes: number;
  readonly #run: Run;

  private constructor(run: Run, nodes: number) {
    this.#run = run;
    this.nodes = nodes;
  }

  /** `ast`: as prepare() leaves it. `names`: variables that an evaluation may bind. Undefined: the program is not simple. */
  static of(ast: AstNode, names: readonly string[]): QuickProgram | undefined {
    const maker = new Maker(new Set(names));
    const run = maker.run(ast);
    return run === undefined ? undefined : new QuickProgram(run, maker.nodes);
  }

  /** Throws whatever if the library has to evaluate the program, with a new budget. */
  evaluate(root: unknown, variables: Readonly<Record<string, unknown>>, budget: Budget): unknown {
    if (Array.isArray(root)) throw NOT_QUICK;
    return this.#run(root, { budget, root, variables });
  }
}

/** Makes functions of nodes; undefined for what is not simple. */
class Maker {
  nodes = 0;
  readonly #names: ReadonlySet<string>;

  constructor(names: ReadonlySet<string>) {
    this.#names = names;
  }

  run(node: AstNode | undefined): Run | undefined {
    if (node === undefined || ++this.nodes > MAX_NODES) return undefined;
    const known = KNOWN.get(node.type);
    if (known === undefined || Object.keys(node).some((key) => !known.has(key))) return undefined;
    if (node.type === 'path') return this.#path(node);
    const work = this.#work(node);
    return work === undefined ? undefined : visited(node, work);
  }

  #work(node: AstNode): Run | undefined {
    switch (node.type) {
      case 'string':
      case 'number':
      case 'value': {
        const { value } = node;
        return () => value;
      }
      case 'name':
        return typeof node.value === 'string' ? memberOf(node.value) : undefined;
      case 'variable':
        return this.#variable(node.value);
      case 'unary':
        return this.#unary(node);
      case 'binary':
        return this.#binary(node);
      case 'condition':
        return this.#condition(node);
      default:
        return this.#block(node);
    }
  }

  #all(nodes: readonly AstNode[]): readonly Run[] | undefined {
    const runs: Run[] = [];
    for (const node of nodes) {
      const run = this.run(node);
      if (run === undefined) return undefined;
      runs.push(run);
    }
    return runs;
  }

  #variable(name: unknown): Run | undefined {
    if (name === '') return (context) => context;
    if (name === '$') return (_context, { root }) => root;
    if (typeof name !== 'string' || !this.#names.has(name)) return undefined;
    return (_context, { variables }) => variables[name];
  }

  #path(node: AstNode): Run | undefined {
    const steps = node.steps ?? [];
    const runs = this.#all(steps);
    if (runs === undefined || runs.length === 0) return undefined;
    return (context, scope) => {
      const { budget } = scope;
      budget.spend(1);
      let value = runs[0]!(context, scope);
      let at = 1;
      // As long as each step leads to one value, no list of them is needed.
      while (at < runs.length && typeof value === 'object' && !Array.isArray(value)) value = runs[at++]!(value, scope);
      if (value === undefined || (at === runs.length && (typeof value !== 'object' || value === null)))
        return leftOne(budget, node, value);
      const found = at === runs.length ? ended(value) : steppedOn(runs, at, value, scope);
      budget.left(node, context, found);
      return single(found);
    };
  }

  #unary(node: AstNode): Run | undefined {
    if (node.value === '-') {
      const inner = this.run(node.expression);
      if (inner === undefined) return undefined;
      return (context, scope) => {
        const value = inner(context, scope);
        return value === undefined ? undefined : -finite(value);
      };
    }
    if (node.value === '{') return Array.isArray(node.lhs) ? this.#object(node.lhs) : undefined;
    return node.value === '[' ? this.#array(node.expressions ?? []) : undefined;
  }

  #object(pairs: readonly [AstNode, AstNode][]): Run | undefined {
    const keys = this.#all(pairs.map(([key]) => key));
    const values = this.#all(pairs.map(([, value]) => value));
    const names = pairs.map(([key]) => (key.type === 'string' ? key.value : undefined));
    if (keys === undefined || values === undefined || new Set(names).size !== names.length) return undefined;
    if (!names.every((name) => typeof name === 'string')) return undefined;
    return (context, scope) => {
      const table = Object.create(null) as Record<string, unknown>;
      for (const key of keys) key(context, scope);
      for (let at = 0; at < values.length; at++) {
        const value = values[at]!(context, scope);
        if (value !== undefined) table[names[at]!] = value;
      }
      return table;
    };
  }

  #array(nodes: readonly AstNode[]): Run | undefined {
    const runs = this.#all(nodes);
    if (runs === undefined) return undefined;
    const whole = nodes.map(({ value }) => value === '[');
    return (context, scope) => {
      const items: unknown[] = [];
      for (let at = 0; at < runs.length; at++) {
        const value = runs[at]!(context, scope);
        if (value === undefined) continue;
        if (whole[at] === true || !Array.isArray(value)) items.push(value);
        else for (const one of value) items.push(one);
      }
      if (items.length > scope.budget.limits.items) throw NOT_QUICK;
      return items;
    };
  }

  #binary({ lhs, rhs, value: operator }: AstNode): Run | undefined {
    const left = Array.isArray(lhs) ? undefined : this.run(lhs);
    const right = this.run(rhs);
    if (left === undefined || right === undefined) return undefined;
    if (operator === 'and') return (context, scope) => truth(left(context, scope)) && truth(right(context, scope));
    if (operator === 'or') return (context, scope) => truth(left(context, scope)) || truth(right(context, scope));
    const apply = OPERATORS.get(operator);
    if (apply === undefined) return undefined;
    return (context, scope) => apply(left(context, scope), right(context, scope));
  }

  #condition(node: AstNode): Run | undefined {
    const condition = this.run(node.condition);
    const then = this.run(node.then);
    const other = node.else === undefined ? () => undefined : this.run(node.else);
    if (condition === undefined || then === undefined || other === undefined) return undefined;
    return (context, scope) => (truth(condition(context, scope)) ? then(context, scope) : other(context, scope));
  }

  #block(node: AstNode): Run | undefined {
    const runs = this.#all(node.expressions ?? []);
    if (runs === undefined) return undefined;
    return (context, scope) => {
      let result: unknown;
      for (const run of runs) result = run(context, scope);
      return result;
    };
  }
}

/** Pays for a node and what it has made. */
function visited(node: AstNode, work: Run): Run {
  return (context, scope) => {
    scope.budget.spend(1);
    const result = work(context, scope);
    scope.budget.left(node, context, result);
    return result;
  };
}

const memberOf =
  (name: string): Run =>
  (context) =>
    typeof context === 'object' && context !== null && Object.hasOwn(context, name)
      ? (context as Record<string, unknown>)[name]
      : undefined;

/** A list of results, which is the same as its item if it has one. */
type Sequence = unknown[] & { sequence?: boolean };

const sequence = (items: unknown[]): Sequence => Object.assign(items, { sequence: true });

function single(found: Sequence): unknown {
  if (found.sequence !== true) return found;
  return found.length === 0 ? undefined : found.length === 1 ? found[0] : found;
}

/** What a path has found if its last step was evaluated once. */
function ended(value: unknown): Sequence {
  if (!Array.isArray(value)) return sequence([value]);
  return isSequence(value) ? sequence([...value]) : value;
}

/** The steps from `at`, over each of the values. */
function steppedOn(runs: readonly Run[], at: number, value: unknown, scope: Scope): Sequence {
  let inputs: unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
  for (let step = at; step < runs.length && inputs.length > 0; step++) {
    const results: unknown[] = [];
    for (const input of inputs) {
      if (Array.isArray(input)) throw NOT_QUICK;
      const result = runs[step]!(input, scope);
      if (result !== undefined) results.push(result);
    }
    const [first] = results;
    // An array that the last step has found alone stays what it is.
    if (step === runs.length - 1 && results.length === 1 && Array.isArray(first) && !isSequence(first)) return first;
    inputs = results.flat();
  }
  return sequence(inputs === value ? [...inputs] : inputs);
}

const isSequence = (value: Sequence): boolean => value.sequence === true;

/** A path that has found one scalar, or nothing: what `left` takes for the list of it, without making it. */
function leftOne(budget: Budget, node: AstNode, value: unknown): unknown {
  const characters = value === undefined ? 2 : typeof value === 'string' ? value.length + 4 : 6;
  if (characters > budget.limits.size) throw NOT_QUICK;
  const items = value === undefined ? 0 : 1;
  budget.allowItems(items);
  budget.spend(1);
  if (node.readWhole === true) budget.spendCharacters(characters);
  return value;
}

function finite(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw NOT_QUICK;
  return value;
}

function truth(value: unknown): boolean {
  if (typeof value === 'number') return finite(value) !== 0;
  if (typeof value === 'object' && value !== null) throw NOT_QUICK;
  return value !== undefined && value !== null && value !== '' && value !== false;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined) return '';
  if (typeof value === 'number') {
    const number = finite(value);
    return String(Number.isInteger(number) ? number : Number(number.toPrecision(15)));
  }
  if (typeof value === 'object' && value !== null) throw NOT_QUICK;
  return String(value);
}

function isEqual(left: unknown, right: unknown): boolean {
  if (typeof left === 'object' && typeof right === 'object' && left !== null && right !== null) throw NOT_QUICK;
  return left === right;
}

type Operator = (left: unknown, right: unknown) => unknown;

const numeric =
  (work: (left: number, right: number) => number): Operator =>
  (left, right) => {
    const [one, other] = [left === undefined ? 0 : finite(left), right === undefined ? 0 : finite(right)];
    return left === undefined || right === undefined ? undefined : work(one, other);
  };

const isOrdered = (value: unknown): boolean =>
  value === undefined || typeof value === 'string' || typeof value === 'number';

const ordered =
  (work: (left: string | number, right: string | number) => boolean): Operator =>
  (left, right) => {
    if (!isOrdered(left) || !isOrdered(right)) throw NOT_QUICK;
    if (left === undefined || right === undefined) return undefined;
    if (typeof left !== typeof right) throw NOT_QUICK;
    return work(left as string | number, right as string | number);
  };

const OPERATORS: ReadonlyMap<unknown, Operator> = new Map<unknown, Operator>([
  ['+', numeric((left, right) => left + right)],
  ['-', numeric((left, right) => left - right)],
  ['*', numeric((left, right) => left * right)],
  ['/', numeric((left, right) => left / right)],
  ['%', numeric((left, right) => left % right)],
  ['<', ordered((left, right) => left < right)],
  ['<=', ordered((left, right) => left <= right)],
  ['>', ordered((left, right) => left > right)],
  ['>=', ordered((left, right) => left >= right)],
  ['=', (left, right) => left !== undefined && right !== undefined && isEqual(left, right)],
  ['!=', (left, right) => left !== undefined && right !== undefined && !isEqual(left, right)],
  ['&', (left, right) => textOf(left) + textOf(right)],
]);
