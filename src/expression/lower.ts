/** Lowers a checked syntax tree to the code that workers run: names become facts, patterns automata. */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { Dfa, Json } from '../bundle/types.js';
import type { ExpressionRead as Read } from '../schema/decoder.js';
import { compilePattern, PATTERN_HELP } from '../schema/regex/regex.js';
import { FACTS, factOf, isMap, isOfReply, MACROS } from './environment.js';
import { type ExpressionProblem, Problem, SUPPORTED } from './problem.js';
import { CALLS, isInt, OPERATORS } from './values.js';

export interface Lowered {
  readonly code: Json;
  readonly patterns: readonly Dfa[];
  /** In the order of the source. */
  readonly reads: readonly Read[];
}

/** Lowers a tree that the type checker accepted. Throws Problem for what gw does not support. */
export function lowerExpression(tree: ASTNode): Lowered {
  const lowering = new Lowering();
  const code = lowering.lower(tree);
  return { code, patterns: lowering.patterns, reads: lowering.reads };
}

/** Whether a name in the environment begins with `path`. */
const isPrefix = (path: string): boolean => FACTS.some(({ name }) => name.startsWith(`${path}.`));

class Lowering {
  readonly patterns: Dfa[] = [];
  readonly reads: Read[] = [];
  /** Variables of the enclosing macros. */
  readonly #locals: string[] = [];

  lower(node: ASTNode): Json {
    switch (node.op) {
      case 'value':
        return literal(node);
      case 'list':
        return ['list', ...node.args.map((item) => this.lower(item))];
      case 'id':
      case '.':
      case '[]':
        return this.#access(node, '');
      case '?:':
        return ['?:', ...node.args.map((part) => this.lower(part))];
      case '!_':
        return ['!', this.lower(node.args)];
      case '-_':
        // The least int has no positive counterpart.
        if (node.args.op === 'value' && typeof node.args.args === 'bigint') return integer(node, -node.args.args);
        return ['neg', this.lower(node.args)];
      case '&&':
      case '||':
        return [node.op, ...node.args.map((part) => this.lower(part))];
      case 'call':
        return this.#call(node, node.args[0], node.args[1]);
      case 'rcall':
        return this.#method(node, node.args[0], node.args[1], node.args[2]);
      case 'in':
        return this.#contained(node.args[0], node.args[1]);
      default:
        if (!Object.hasOwn(OPERATORS, node.op)) throw unsupported(node, KINDS[node.op] ?? `\`${node.op}\``);
        return [node.op, ...(node.args as readonly ASTNode[]).map((part) => this.lower(part))];
    }
  }

  /** A name, or a step into a value. `has`: `has-` to ask for presence instead. */
  #access(node: ASTNode, has: '' | 'has-'): Json {
    const path = this.#pathOf(node);
    const fact = path === undefined ? undefined : factOf(path);
    if (fact !== undefined && !isMap(fact)) return [`${has}fact`, this.#read(node, fact.name)];
    if (path !== undefined && (fact !== undefined || isPrefix(path)))
      throw unsupported(node, `\`${path}\` as a value`, `Use one of its fields, such as \`${example(path)}\`.`);
    if (node.op === 'id') {
      const index = this.#locals.lastIndexOf(node.args);
      if (index < 0) throw unsupported(node, `\`${node.args}\``);
      return ['local', index];
    }
    if (node.op !== '.' && node.op !== '[]') throw unsupported(node, `\`${node.op}\``);
    const [whole, step] = node.args;
    return this.#step(has, whole, step, node);
  }

  #step(has: '' | 'has-', whole: ASTNode, step: ASTNode | string, at: ASTNode): Json {
    const path = this.#pathOf(whole);
    const fact = path === undefined ? undefined : factOf(path);
    const key = typeof step === 'string' ? step : this.lower(step);
    if (fact === undefined || !isMap(fact)) return [`${has}item`, this.lower(whole), key];
    return [`${has}field`, this.#read(at, fact.name, typeof key === 'string' ? key : undefined), key];
  }

  #read({ start, end }: ASTNode, name: string, key?: string): string {
    this.reads.push({ name, key, start, end });
    return name;
  }

  /** `a.b.c` if the node is written so and `a` is not a variable of a macro. */
  #pathOf(node: ASTNode): string | undefined {
    if (node.op === 'id') return this.#locals.includes(node.args) ? undefined : node.args;
    if (node.op !== '.') return undefined;
    const before = this.#pathOf(node.args[0]);
    return before === undefined ? undefined : `${before}.${node.args[1]}`;
  }

  #contained(item: ASTNode, whole: ASTNode): Json {
    const path = this.#pathOf(whole);
    const fact = path === undefined ? undefined : factOf(path);
    if (fact === undefined || !isMap(fact)) return ['in', this.lower(item), this.lower(whole)];
    return this.#step('has-', whole, item, whole);
  }

  #call(node: ASTNode, name: string, operands: readonly ASTNode[]): Json {
    if (name === 'has' && operands.length === 1) return this.#access(operands[0]!, 'has-');
    const call = Object.hasOwn(CALLS, name) ? CALLS[name] : undefined;
    if (call === undefined || call.operands !== operands.length) throw unsupported(node, `\`${name}()\``);
    return [name, ...operands.map((operand) => this.lower(operand))];
  }

  #method(node: ASTNode, name: string, receiver: ASTNode, operands: readonly ASTNode[]): Json {
    if (name === 'matches') return this.#matches(receiver, operands[0]!);
    const macro = MACROS.find((one) => one === name);
    if (macro === undefined) return this.#call(node, name, [receiver, ...operands]);
    const [variable, ...bodies] = operands;
    if (variable?.op !== 'id') throw unsupported(node, `a \`${name}()\` without a variable`);
    const range = this.lower(receiver);
    this.#locals.push(variable.args);
    const code = ['each', macro, range, ...bodies.map((body) => this.lower(body))];
    this.#locals.pop();
    return code;
  }

  #matches(receiver: ASTNode, pattern: ASTNode): Json {
    if (pattern.op !== 'value' || typeof pattern.args !== 'string')
      throw unsupported(pattern, 'a pattern that is not a literal', 'Write the pattern as a string literal.');
    const dfa = searching(pattern, pattern.args);
    return ['matches', this.lower(receiver), this.patterns.push(dfa) - 1];
  }
}

function integer({ start, end }: ASTNode, value: bigint): Json {
  if (isInt(value)) return ['integer', String(value)];
  const message = 'The integer has more than 64 bits.';
  const help = 'An int is at least -9223372036854775808 and at most 9223372036854775807.';
  throw new Problem({ code: 'expression/type', message, help, start, end });
}

/** Names for nodes that are not supported. */
const KINDS: { readonly [op: string]: string } = { map: 'a map literal', '.?': '`.?`', '[?]': '`[?]`' };

function literal(node: ASTNode & { readonly op: 'value' }): Json {
  const { args: value } = node;
  if (typeof value === 'bigint') return integer(node, value);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw unsupported(node, 'this kind of literal');
}

/**
 * The automaton of a CEL pattern, which is found anywhere in the text; `^` and `$` bind it to the beginning and the end.
 */
function searching(node: ASTNode, source: string): Dfa {
  const begins = source.startsWith('^');
  const ends = /(?<!\\)(?:\\\\)*\$$/.test(source);
  const body = source.slice(begins ? 1 : 0, ends ? -1 : undefined);
  const alone = compilePattern(body);
  if ('error' in alone) throw new Problem(patternProblem(node, alone.error));
  if ((begins || ends) && hasAlternatives(body))
    throw new Problem(patternProblem(node, 'An anchor beside alternatives binds only one of them.'));
  const any = '(?:.|\\n)*';
  const whole = compilePattern(`${begins ? '' : any}(?:${body})${ends ? '' : any}`);
  if ('error' in whole) throw new Problem(patternProblem(node, whole.error));
  return { ...whole.dfa, source };
}

/** Whether a valid pattern has a `|` outside of groups and classes. */
function hasAlternatives(body: string): boolean {
  let depth = 0;
  for (const [part] of body.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|[()|]/gsu)) {
    if (part === '(') depth++;
    else if (part === ')') depth--;
    else if (part === '|' && depth === 0) return true;
  }
  return false;
}

const patternProblem = ({ start, end }: ASTNode, message: string): ExpressionProblem => ({
  code: 'pattern/invalid',
  message,
  help: `${PATTERN_HELP} In an expression, \`^\` first and \`$\` last bind a pattern to the whole text: \`^(?:a|b)$\`.`,
  start,
  end,
});

function unsupported({ start, end }: ASTNode, what: string, help = SUPPORTED): Problem {
  const message = `Expressions do not support ${what}.`;
  return new Problem({ code: 'expression/unsupported', message, help, start, end });
}

function example(path: string): string {
  const fact = FACTS.find(({ name }) => name === path || name.startsWith(`${path}.`));
  if (fact === undefined) return path;
  return isMap(fact) ? `${fact.name}["name"]` : fact.name;
}

/** The first read of the reply. */
export const firstReplyRead = (reads: readonly Read[]): Read | undefined => reads.find(({ name }) => isOfReply(name));
