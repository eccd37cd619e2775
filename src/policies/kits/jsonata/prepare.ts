/** Checks the tree of a program and marks what the budget must know. Its nodes are changed in place. */
import { type AstNode, childrenOf } from './ast.js';
import { spanOf } from './reads.js';
import { LinearRegex } from './regex.js';
import { inside } from './reserved.js';

export interface JsonataError {
  /** What is wrong: a sentence. */
  readonly error: string;
  /** Offsets in the source, in UTF-16 units; `end` is behind the last character. */
  readonly start: number;
  readonly end: number;
}

export interface Prepared {
  readonly regexes: ReadonlyMap<RegExp, LinearRegex>;
  /** Whether it has a transform, `|...|...|`, which changes the copy that it makes. */
  readonly mutates: boolean;
}

export function prepare(ast: AstNode): Prepared | JsonataError {
  const regexes = new Map<RegExp, LinearRegex>();
  const nodes = new Set([ast]);
  const lost = new Lost();
  let mutates = false;
  // A set goes on with what is added to it; a node that occurs twice is visited once.
  for (const node of nodes) {
    lost.see(node);
    const error = errorOf(node, regexes);
    if (error !== undefined) return error;
    if (node.type === 'transform') mutates = true;
    mark(node);
    for (const child of childrenOf(node)) nodes.add(child);
  }
  lost.restore();
  return { regexes, mutates };
}

/** The parser copies the left side of `??` and `?:` as JSON, which loses regular expressions and signatures. */
class Lost {
  readonly #originals = new Map<number | undefined, AstNode>();
  readonly #copies: AstNode[] = [];

  see(node: AstNode): void {
    const copied =
      node.type === 'regex'
        ? !(node.value instanceof RegExp)
        : node.signature !== undefined && node.signature.validate === undefined;
    if (copied) this.#copies.push(node);
    else if (node.type === 'regex' || node.signature !== undefined) this.#originals.set(node.position, node);
  }

  /** A copy has the position of its original. */
  restore(): void {
    for (const copy of this.#copies) {
      const original = this.#originals.get(copy.position);
      if (original === undefined) continue;
      copy.value = original.value;
      if (original.signature !== undefined) copy.signature = original.signature;
    }
  }
}

function errorOf(node: AstNode, regexes: Map<RegExp, LinearRegex>): JsonataError | undefined {
  if (node.type === 'variable' && node.value === 'eval')
    return { error: '`$eval` is not available, because its program would come from data.', ...spanOf(node) };
  const end = node.position ?? 0;
  // The library keeps such variables as members of an object, and a promise would call this one.
  if (node.focus === 'then')
    return { error: '`@$then` is not available; choose another name.', start: Math.max(0, end - 1), end };
  if (node.type === 'lambda' && (node.signature?.definition.split('+').length ?? 1) > 2)
    return { error: 'The signature of a function may contain `+` once.', start: Math.max(0, end - 1), end };
  if (node.type !== 'regex' || !(node.value instanceof RegExp)) return undefined;
  const start = Math.max(0, end - node.value.source.length - node.value.flags.length - 1);
  try {
    regexes.set(node.value, new LinearRegex(node.value));
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    return { error: `The regular expression cannot run in linear time: ${reason}.`, start, end };
  }
  return undefined;
}

/** Operators that read all of their operands. */
const READERS: ReadonlySet<unknown> = new Set(['&', '=', '!=', 'and', 'or']);

function mark(node: AstNode): void {
  if (node.type === 'name' && typeof node.value === 'string') node.value = inside(node.value);
  if (node.type === 'binary' && READERS.has(node.value)) {
    if (node.lhs !== undefined && !Array.isArray(node.lhs)) node.lhs.readWhole = true;
    if (node.rhs !== undefined) node.rhs.readWhole = true;
  }
  if (node.update !== undefined) node.update.isUpdate = true;
  if (node.condition !== undefined) node.condition.readWhole = true;
  for (const stage of [...(node.stages ?? []), ...(node.predicate ?? [])])
    if (stage.expr !== undefined) stage.expr.readWhole = true;
  for (const [key, value] of [...(Array.isArray(node.lhs) ? node.lhs : []), ...(node.group?.lhs ?? [])]) {
    key.isName = true;
    value.isMember = true;
    if (key.type === 'string' && typeof key.value === 'string') key.value = inside(key.value);
  }
}
