/** Programs in JSONata: compiled at load, evaluated within bounds. */
import { createRequire } from 'node:module';
import type jsonata from 'jsonata';
import type { Awaitable, Clock } from '../../contract.js';
import { hasLongNumber, type JsonValue } from '../json-text/index.js';
import { type AstNode, type BaseFrame, ENTRY, EXIT, type Expression, type Frame, type JsonataLibrary } from './ast.js';
import { Budget } from './budget.js';
import { bindFunctions, setBudget } from './builtins.js';
import { Converter } from './convert.js';
import { sizeWithCopies } from './copies.js';
import { DEFAULT_JSONATA_LIMITS, JsonataFault, type JsonataLimits } from './fault.js';
import { type JsonataError, type Prepared, prepare } from './prepare.js';
import { QuickProgram } from './quick.js';
import { type JsonataReads, readsOf } from './reads.js';
import type { LinearRegex } from './regex.js';

/** What a program takes from its host; a `PolicyHost` has it. */
export interface JsonataHost {
  readonly clock: Clock;
  /** At least 0 and below 1. */
  random(): number;
}

export interface JsonataOptions {
  /** Names of the variables, without `$`, that evaluations will bind. Others are errors then. */
  readonly bindings?: readonly string[];
}

const MAX_SOURCE = 64 << 10;
const MAX_COPIED = 4 * MAX_SOURCE;

/**
 * The program, or what is wrong with it and where: `'error' in result` tells. Never throws, reads nothing but the source.
 * For lint and at load alike.
 */
export function compileJsonata(source: string, options: JsonataOptions = {}): JsonataProgram | JsonataError {
  const everything = { start: 0, end: source.length };
  if (source.length > MAX_SOURCE)
    return { error: `The program has more than ${MAX_SOURCE} characters.`, ...everything };
  if (source.trim() === '') return { error: 'The program is empty.', ...everything };
  if (sizeWithCopies(source) > MAX_COPIED)
    return { error: 'Too many `??` and `?:` are nested on the left side of others; use variables.', ...everything };
  const library = createRequire(import.meta.url)('jsonata') as typeof jsonata as unknown as JsonataLibrary;
  try {
    const expression = library(source);
    const ast = expression.ast();
    const { binds, ...reads } = readsOf(ast);
    const prepared = prepare(ast);
    if ('error' in prepared) return prepared;
    const unknown = bindingError(options.bindings, reads, binds);
    if (unknown !== undefined) return unknown;
    bindFunctions(library, expression);
    return new JsonataProgram(source, reads, expression, prepared);
  } catch (error) {
    if (error instanceof RangeError) return { error: 'The program is nested too deeply.', ...everything };
    if (error instanceof SyntaxError) return regexError(error, source);
    return syntaxError(error, source);
  }
}

function bindingError(
  allowed: readonly string[] | undefined,
  reads: JsonataReads,
  binds: readonly { readonly name: string; readonly start: number; readonly end: number }[],
): JsonataError | undefined {
  if (allowed === undefined) return undefined;
  const bound = binds.find(({ name }) => allowed.includes(name));
  if (bound !== undefined) {
    const { name, start, end } = bound;
    return { error: `\`$${name}\` has its value already; bind another name.`, start, end };
  }
  const read = reads.bindings.find(({ name }) => !allowed.includes(name));
  if (read === undefined) return undefined;
  const known = allowed.map((name) => `\`$${name}\``).join(', ');
  const hint = known === '' ? 'There are no variables here.' : `Available: ${known}.`;
  return { error: `\`$${read.name}\` is neither bound nor a function. ${hint}`, start: read.start, end: read.end };
}

/** V8's message has the expression and the reason: `Invalid regular expression: /(/g: Unterminated group`. */
function regexError({ message }: SyntaxError, source: string): JsonataError {
  const [, literal = '', reason = message] = /^Invalid regular expression: (\/.*\/)[a-z]*: (.*)$/s.exec(message) ?? [];
  const start = Math.max(0, source.indexOf(literal));
  const end = literal === '' ? source.length : start + literal.length;
  return { error: `The regular expression is not valid: ${reason}.`, start, end };
}

/** As the library throws it: a plain object with a message. */
interface LibraryError {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly position?: unknown;
  readonly token?: unknown;
  readonly value?: unknown;
  readonly value2?: unknown;
  readonly exp?: unknown;
}

function syntaxError(error: unknown, source: string): JsonataError {
  const { message, position, token } = (error ?? {}) as LibraryError;
  const end = typeof position === 'number' ? Math.min(position, source.length) : source.length;
  const length = typeof token === 'string' && token !== '(end)' ? token.length : 1;
  const text = typeof message === 'string' ? message.replace(/\.$/, '') : 'The program is not valid';
  return { error: `${text}.`, start: Math.max(0, Math.min(end, source.length) - length), end };
}

type Given = readonly [
  input: JsonValue | undefined,
  bindings: { readonly [name: string]: JsonValue },
  host: JsonataHost,
  limits?: Partial<JsonataLimits>,
];

interface Taken {
  readonly converter: Converter;
  readonly entered: unknown;
  readonly variables: Readonly<Record<string, unknown>>;
}

export class JsonataProgram {
  readonly source: string;
  /** What it reads of its input and of the variables. */
  readonly reads: JsonataReads;
  readonly #expression: Expression;
  readonly #prepared: Prepared;
  readonly #bindings: readonly string[];
  readonly #quick: QuickProgram | undefined;
  /** The evaluation that is being started: the library calls the hook before `evaluate` returns. */
  #starting: Budget | undefined;

  /** Only for compileJsonata. */
  constructor(source: string, reads: JsonataReads, expression: Expression, prepared: Prepared) {
    this.source = source;
    this.reads = reads;
    this.#expression = expression;
    this.#prepared = prepared;
    this.#bindings = [...new Set(reads.bindings.map(({ name }) => name))];
    this.#quick = QuickProgram.of(expression.ast(), this.#bindings);
    expression.assign(ENTRY, (_node: AstNode, _input: unknown, frame: Frame) => this.#enter(frame.base));
  }

  /**
   * The result, or undefined if there is none. Rejects with a JsonataFault and nothing else.
   *
   * The program gets copies, so `input` and `bindings` are not changed. The result may share parts with them; treat all
   * three as immutable. `bindings`: by name without `$`; only those that the program reads are copied. Missing limits are
   * those of DEFAULT_JSONATA_LIMITS.
   *
   * The promise settles without any timer or I/O, so an evaluation holds its thread until it ends: `steps` bounds that.
   */
  async evaluate(...given: Given): Promise<JsonValue | undefined> {
    return await this.run(...given);
  }

  /** The same without a promise if the program and its values are simple. Never throws. */
  run(...given: Given): Awaitable<JsonValue | undefined> {
    const quick = this.#quick;
    const budget = this.#budget(given);
    if (quick === undefined || quick.nodes > budget.limits.depth) return this.#interpret(given, budget);
    try {
      const { converter, entered, variables } = this.#take(given, budget);
      return converter.leave(quick.evaluate(entered, variables, budget));
    } catch {
      // Also if the program has failed: the library tells how.
      return this.interpret(...given);
    }
  }

  /** The same, always by the library. */
  interpret(...given: Given): Promise<JsonValue | undefined> {
    return this.#interpret(given, this.#budget(given));
  }

  #budget([, , host, limits]: Given): Budget {
    const all = limits === undefined ? DEFAULT_JSONATA_LIMITS : { ...DEFAULT_JSONATA_LIMITS, ...limits };
    return new Budget(all, host.clock, () => host.random(), this.#prepared.mutates);
  }

  /** The copies that the program gets. */
  #take([input, bindings]: Given, budget: Budget): Taken {
    const isLong = (name: string): boolean => Object.hasOwn(bindings, name) && hasLongNumber(bindings[name]!);
    const long = (input !== undefined && hasLongNumber(input)) || this.#bindings.some(isLong);
    const converter = new Converter(budget, long);
    const variables: Record<string, unknown> = Object.create(null);
    for (const name of this.#bindings)
      if (Object.hasOwn(bindings, name)) variables[name] = converter.take(bindings[name]!);
    return { converter, entered: input === undefined ? undefined : converter.take(input), variables };
  }

  async #interpret(given: Given, budget: Budget): Promise<JsonValue | undefined> {
    try {
      const { converter, entered, variables } = this.#take(given, budget);
      this.#starting = budget;
      const result = await settled(this.#expression.evaluate(entered, variables as Record<string, unknown>));
      if (budget.fault !== undefined) throw budget.fault;
      return converter.leave(result);
    } catch (error) {
      throw faultOf(error, budget);
    }
  }

  /** Takes over the frame of a new evaluation. */
  #enter(base: BaseFrame): void {
    const budget = this.#starting!;
    this.#starting = undefined;
    setBudget(base, budget);
    base.options = { sequence: budget.limits.items };
    base.timestamp = new Date(budget.now);
    const { regexes } = this.#prepared;
    // A class costs more than the nodes of a small program.
    if (regexes.size > 0) base.RegexEngine = engineFor(regexes, budget);
    base.guardrails = () => budget.enter(base.depth);
    base.createSequence = (...items) => Object.assign(items, { sequence: true });
    base.bind(ENTRY, undefined);
    base.bind(EXIT, (node: AstNode, context: unknown, _frame: Frame, result: unknown) =>
      budget.left(node, context, result),
    );
  }
}

/**
 * The result of an evaluation. It consists of microtasks, so it has settled when the event loop goes on; if it has not, it never
 * will, and a fault takes its place.
 */
export async function settled(evaluation: Promise<unknown>): Promise<unknown> {
  let check: NodeJS.Immediate | undefined;
  const stuck = new Promise<never>((_resolve, reject) => {
    check = setImmediate(() => reject(new JsonataFault('error', 'The program waits for what never comes.')));
  });
  try {
    return await Promise.race([evaluation, stuck]);
  } finally {
    clearImmediate(check);
  }
}

/** The class that the library instantiates for each regular expression that it evaluates. */
function engineFor(regexes: ReadonlyMap<RegExp, LinearRegex>, budget: Budget): unknown {
  return class {
    lastIndex = 0;
    readonly #regex: LinearRegex;

    constructor(regex: RegExp) {
      this.#regex = regexes.get(regex)!;
    }

    exec(text: string): (string | undefined)[] | null {
      const found = this.#regex.find(text, this.lastIndex, budget);
      if (found === null) {
        this.lastIndex = 0;
        return null;
      }
      this.lastIndex = found.end;
      return Object.assign([...found.groups], { index: found.index });
    }
  };
}

function faultOf(error: unknown, budget: Budget): JsonataFault {
  if (budget.fault !== undefined) return budget.fault;
  // Branches that the library started side by side stop at their next step.
  budget.fault = error instanceof JsonataFault ? error : libraryFault(error);
  return budget.fault;
}

function libraryFault(error: unknown): JsonataFault {
  if (error instanceof RangeError) {
    const size = /string length|array length/i.test(error.message);
    return new JsonataFault(size ? 'size' : 'depth', `The program was stopped: ${error.message}.`);
  }
  const { message, code, position } = (error ?? {}) as LibraryError;
  const at = typeof position === 'number' ? position : undefined;
  if (typeof message !== 'string') return new JsonataFault('error', 'The program failed.', at);
  // Their values are bounds.
  if (code === 'D2014' || code === 'D2015') return new JsonataFault('size', message, at);
  return new JsonataFault('error', withoutValues(message, error as LibraryError), at);
}

/** The library writes values of the input into its messages, which go to logs: their kind takes their place. */
function withoutValues(message: string, { value, value2, exp }: LibraryError): string {
  return [value, value2, exp].reduce<string>((text, one) => {
    const written = textOf(one);
    const at = written === undefined ? -1 : text.lastIndexOf(written);
    return at < 0 ? text : text.slice(0, at) + kindOf(one) + text.slice(at + written!.length);
  }, message);
}

/** As the library writes it; undefined for what it cannot write, such as a function of the program with all that it refers to. */
function textOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value) as string | undefined;
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (value === null || typeof value === 'boolean') return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
