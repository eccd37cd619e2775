/** What one evaluation has used, and the checks of what it makes. */
import type { Clock } from '../../contract.js';
import type { AstNode } from './ast.js';
import { JsonataFault, type JsonataLimits } from './fault.js';
import { isReserved } from './reserved.js';

/** Characters, or nodes of a walk, that cost one step. */
const CHARACTERS_PER_STEP = 64;
const ITEMS_PER_STEP = 8;
/** Steps between two looks at the clock. */
const CLOCK_INTERVAL = 256;

/** Nodes that make values; others return values that exist, which are measured already. */
const MAKERS = new Set([
  'unary',
  'function',
  'apply',
  'path',
  'block',
  'condition',
  'transform',
  'partial',
  'wildcard',
]);

export class Budget {
  readonly limits: JsonataLimits;
  readonly clock: Clock;
  readonly random: () => number;
  /** What `$now()` and `$millis()` tell, the same during one evaluation. Milliseconds since 1970. */
  readonly now: number;
  /** Strings that `$string` was asked for; absent if the input has no long numbers. */
  madeTexts: Set<string> | undefined;
  /** Set by the first fault, so that branches that are still running stop at their next step. */
  fault: JsonataFault | undefined;
  #left: number;
  #untilClock = CLOCK_INTERVAL;
  readonly #deadline: number;
  /** Size and nesting of arrays and objects. They do not change once they are made, except by a transform. */
  readonly #measured: Map<object, Measure> | undefined;

  /** `mutates`: the program has a transform, which changes objects, so nothing is remembered about them. */
  constructor(limits: JsonataLimits, clock: Clock, random: () => number, mutates: boolean) {
    this.limits = limits;
    this.clock = clock;
    this.random = random;
    this.now = clock.now();
    this.#left = limits.steps;
    this.#deadline = clock.monotonic() + limits.time;
    this.#measured = mutates ? undefined : new Map();
  }

  /** Called for each node that is visited. `depth`: nodes that are being visited. */
  enter(depth: number): void {
    if (depth > this.limits.depth)
      throw this.fail('depth', `more than ${this.limits.depth} nested calls and their parts`);
    this.spend(1);
  }

  spend(steps: number): void {
    if (this.fault !== undefined) throw this.fault;
    this.#left -= steps;
    if (this.#left < 0) throw this.fail('steps', `more than ${this.limits.steps} steps`);
    this.#untilClock -= steps;
    if (this.#untilClock > 0) return;
    this.#untilClock = CLOCK_INTERVAL;
    if (this.clock.monotonic() > this.#deadline) throw this.fail('time', `longer than ${this.limits.time} ms`);
  }

  /** For work over so many characters. */
  spendCharacters(count: number): void {
    this.spend(Math.ceil(count / CHARACTERS_PER_STEP));
  }

  spendItems(count: number): void {
    this.spend(Math.ceil(count / ITEMS_PER_STEP));
  }

  /** For work over all of a value. */
  spendValue(value: unknown): void {
    if (typeof value === 'string') this.spendCharacters(value.length);
    else if (typeof value === 'object' && value !== null) this.spendCharacters(this.measure(value).size);
  }

  fail(kind: JsonataFault['kind'], message: string): JsonataFault {
    this.fault ??= new JsonataFault(kind, `The program was stopped: ${message}.`);
    return this.fault;
  }

  /** A string of this length will be made. */
  allowString(length: number): void {
    if (length > this.limits.size) throw this.fail('size', `a string of more than ${this.limits.size} characters`);
    this.spendCharacters(length);
  }

  allowItems(count: number): void {
    if (count > this.limits.items) throw this.fail('size', `an array of more than ${this.limits.items} items`);
    this.spendItems(count);
  }

  /** Called with the context and the result of each node that was visited. */
  left(node: AstNode, context: unknown, result: unknown): void {
    // The members would become properties of the array: `length` among them.
    if (node.isUpdate === true && Array.isArray(context))
      throw new JsonataFault('error', 'A transform can change objects only, not arrays.', node.position);
    if (node.isName === true) checkName(result, node);
    if (node.isMember === true) checkMember(result, node);
    if (typeof result === 'string') {
      if (result.length > this.limits.size) this.allowString(result.length);
      if (result.length > CHARACTERS_PER_STEP && (node.type === 'binary' || node.type === 'function'))
        this.spendCharacters(result.length);
      return;
    }
    if (typeof result !== 'object' || result === null) return;
    if (Array.isArray(result)) this.allowItems(result.length);
    if (node.readWhole === true) this.spendValue(result);
    else if (MAKERS.has(node.type) || node.group !== undefined) this.measure(result);
  }

  /** Characters as JSON and nesting; the walk is bounded, also if one object is contained many times. */
  measure(value: object): Measure {
    const known = this.#measured?.get(value);
    if (known !== undefined) return known;
    const walk = new Walk(this);
    const nesting = walk.children(value, (child) => this.#measured?.get(child));
    const measure = { size: walk.size, nesting };
    this.spend(Math.ceil(walk.visited / ITEMS_PER_STEP));
    this.#measured?.set(value, measure);
    return measure;
  }

  /** Remembers what `Walk` has found of a child. */
  remember(value: object, measure: Measure): void {
    this.#measured?.set(value, measure);
  }
}

/** Names that mean something to the library. A result of one item is that item to the library, after this. */
function checkName(result: unknown, node: AstNode): void {
  const name: unknown = Array.isArray(result) ? result[0] : result;
  if (typeof name === 'string' && isReserved(name))
    throw new JsonataFault('error', `A member cannot have the name \`${name}\` here.`, node.position);
}

/**
 * A function of JavaScript as the member `then` would make a promise of the object: the library would call the function and
 * wait. Regular expressions are such functions, and so are the functions that a program gets as arguments.
 */
function checkMember(result: unknown, node: AstNode): void {
  let value = result;
  while (Array.isArray(value) && value.length === 1) value = value[0];
  if (typeof value === 'function')
    throw new JsonataFault('error', 'A member cannot be a regular expression or a passed function.', node.position);
}

/** A function of the language with bounds. `call`: the function as the library has it. */
export type Bounded = (
  budget: Budget,
  call: (...args: unknown[]) => unknown,
  args: unknown[],
  natives: Natives,
) => unknown;

/** The functions as the library has them. */
export interface Natives {
  call(name: string, ...args: unknown[]): unknown;
}

export interface Measure {
  readonly size: number;
  readonly nesting: number;
}

/** Arrays and objects within each other that a value may have. */
export const MAX_NESTING = 100;

class Walk {
  size = 0;
  visited = 0;
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** Nesting of the value. Its children are remembered one by one, because the next value is often made of them. */
  children(value: object, known: (child: object) => Measure | undefined): number {
    let nesting = 0;
    for (const child of membersOf(value)) {
      if (typeof child !== 'object' || child === null) {
        this.#leaf(child);
        continue;
      }
      const found = known(child);
      const before = this.size;
      const below = found?.nesting ?? this.#visit(child, 1);
      if (found !== undefined) this.#add(found.size);
      else this.#budget.remember(child, { size: this.size - before, nesting: below });
      nesting = Math.max(nesting, below);
    }
    this.#names(value);
    if (nesting + 1 > MAX_NESTING) throw this.#tooDeep();
    return nesting + 1;
  }

  #visit(value: object, depth: number): number {
    if (depth > MAX_NESTING) throw this.#tooDeep();
    let nesting = 0;
    for (const child of membersOf(value)) {
      if (typeof child === 'object' && child !== null) nesting = Math.max(nesting, this.#visit(child, depth + 1));
      else this.#leaf(child);
    }
    this.#names(value);
    return nesting + 1;
  }

  #names(value: object): void {
    this.#add(2);
    if (!Array.isArray(value)) for (const key in value) this.#add(key.length + 3);
  }

  #leaf(value: unknown): void {
    this.#add(typeof value === 'string' ? value.length + 2 : 4);
  }

  #add(size: number): void {
    this.visited++;
    this.size += size;
    const { limits } = this.#budget;
    if (this.size > limits.size)
      throw this.#budget.fail('size', `a value of more than ${limits.size} characters as JSON`);
  }

  #tooDeep(): JsonataFault {
    return this.#budget.fail('depth', `a value that is nested more than ${MAX_NESTING} levels deep`);
  }
}

const NOTHING: readonly unknown[] = [];

/** Functions of a program are objects too; what they refer to is no part of the value. */
function membersOf(value: object): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isProgramFunction(value) ? NOTHING : Object.values(value);
}

export const isProgramFunction = (value: unknown): boolean =>
  typeof value === 'function' ||
  (typeof value === 'object' && value !== null && ('_jsonata_lambda' in value || '_jsonata_function' in value));
