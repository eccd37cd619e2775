/** What a program reads: variables from outside, and names at the top of its input. */
import { type AstNode, type AstStage, childrenOf } from './ast.js';
import { FUNCTION_NAMES } from './builtins.js';

export interface JsonataRead {
  /** Name of the variable without `$`. */
  readonly name: string;
  /** The names that follow it: `['headers', 'host']` for `$request.headers.host`; empty if all of it may be read. */
  readonly path: readonly string[];
  /** Offsets of the variable in the source, in UTF-16 units; `end` is behind it. */
  readonly start: number;
  readonly end: number;
}

export interface JsonataReads {
  /** Variables that the program neither binds nor has from the language, in the order of the source. */
  readonly bindings: readonly JsonataRead[];
  /** Names of members of the input that it reads, sorted. */
  readonly names: readonly string[];
  /** Whether it may read any member of the input, as by `$`, `*`, `**` or `%`. */
  readonly whole: boolean;
}

/** A variable that the program binds. */
export interface JsonataBind {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const FUNCTIONS: ReadonlySet<string> = new Set(FUNCTION_NAMES);

/** Functions that read their context if an argument is missing, with the number of arguments that prevents it. */
const CONTEXT_ARGUMENTS: ReadonlyMap<string, number> = new Map([
  ...['string', 'length', 'lowercase', 'uppercase', 'trim', 'number', 'floor', 'ceil', 'abs', 'sqrt'].map(one),
  ...['round', 'boolean', 'not', 'keys', 'spread', 'base64encode', 'base64decode', 'clone', 'fromMillis'].map(one),
  ...['encodeUrlComponent', 'encodeUrl', 'decodeUrlComponent', 'decodeUrl', 'formatBase', 'toMillis'].map(one),
  ...['substring', 'substringBefore', 'substringAfter', 'pad', 'match', 'contains', 'split', 'lookup'].map(two),
  ...['formatNumber', 'formatInteger', 'parseInteger', 'power', 'each', 'sift'].map(two),
  ['replace', 3] as const,
]);

function one(name: string): readonly [string, number] {
  return [name, 1];
}

function two(name: string): readonly [string, number] {
  return [name, 2];
}

export function readsOf(ast: AstNode): JsonataReads & { readonly binds: readonly JsonataBind[] } {
  const walk = new ReadsWalk();
  walk.program(ast);
  const bindings = [...walk.bindings.values()].sort((a, b) => a.start - b.start);
  return { bindings, names: [...walk.names].sort(), whole: walk.whole, binds: walk.binds };
}

interface Scope {
  readonly names: Set<string>;
  readonly outer: Scope | undefined;
}

/** `top`: whether the context of the node is the input itself. */
class ReadsWalk {
  /** By their place: the parser copies `a` of `a ?? b`. */
  readonly bindings = new Map<number, JsonataRead>();
  readonly binds: JsonataBind[] = [];
  readonly names = new Set<string>();
  whole = false;
  readonly #visited = new Set<AstNode>();

  program(ast: AstNode): void {
    const scope = this.#scope([ast], undefined);
    this.#visit(ast, scope, true);
  }

  /** `after`: the steps of its path that follow. */
  #visit(node: AstNode, scope: Scope, top: boolean, after: readonly AstNode[] = []): void {
    if (this.#visited.has(node)) return;
    this.#visited.add(node);
    switch (node.type) {
      case 'path':
        this.#path(node, scope, top);
        break;
      case 'variable':
        this.#variable(node, after, scope, top);
        break;
      case 'block': {
        const inner = this.#scope(node.expressions ?? [], scope);
        for (const one of node.expressions ?? []) this.#visit(one, inner, top);
        break;
      }
      case 'lambda':
        this.#lambda(node, scope, top);
        break;
      case 'bind':
        this.#visit(node.rhs!, scope, top);
        break;
      case 'transform':
        for (const one of [node.pattern, node.update, node.delete])
          if (one !== undefined) this.#visit(one, scope, false);
        break;
      default:
        this.#other(node, scope, top);
    }
    for (const stage of [...(node.predicate ?? []), ...(node.type === 'path' ? [] : (node.stages ?? []))])
      this.#stage(stage, scope);
    if (node.group !== undefined) this.#pairs(node.group.lhs, scope, false);
  }

  #other(node: AstNode, scope: Scope, top: boolean): void {
    if (node.type === 'name' && top) this.names.add(String(node.value));
    if (node.type === 'parent' || (top && (node.type === 'wildcard' || node.type === 'descendant'))) this.whole = true;
    if (node.type === 'function' && top && readsContext(node)) this.whole = true;
    if (node.procedure !== undefined) this.#visit(node.procedure, scope, top);
    for (const one of [...(node.arguments ?? []), ...(node.expressions ?? [])]) this.#visit(one, scope, top);
    if (Array.isArray(node.lhs)) this.#pairs(node.lhs, scope, top);
    else if (node.lhs !== undefined) this.#visit(node.lhs, scope, top);
    for (const one of [node.rhs, node.expression, node.condition, node.then, node.else])
      if (one !== undefined) this.#visit(one, scope, top);
    for (const term of node.terms ?? []) this.#visit(term.expression, scope, false);
  }

  #pairs(pairs: readonly [AstNode, AstNode][], scope: Scope, top: boolean): void {
    for (const pair of pairs) for (const one of pair) this.#visit(one, scope, top);
  }

  #stage(stage: AstStage, scope: Scope): void {
    if (stage.expr !== undefined) this.#visit(stage.expr, scope, false);
  }

  #path(node: AstNode, scope: Scope, top: boolean): void {
    const steps = node.steps ?? [];
    const inner: Scope = { names: new Set(), outer: scope };
    let atTop = top;
    for (const [at, step] of steps.entries()) {
      this.#visit(step, inner, atTop, steps.slice(at + 1));
      for (const name of [step.focus, step.index]) if (name !== undefined) inner.names.add(name);
      for (const stage of step.stages ?? [])
        if (stage.type === 'index' && stage.value !== undefined) inner.names.add(stage.value);
      // With `@$x` the context stays the same.
      if (step.focus === undefined) atTop = false;
    }
    // Its pairs see the variables of the steps.
    if (node.group !== undefined) this.#pairs(node.group.lhs, inner, false);
  }

  #lambda(node: AstNode, scope: Scope, top: boolean): void {
    if (top && node.signature?.definition.includes('-') === true) this.whole = true;
    const names = (node.arguments ?? []).map((one) => String(one.value));
    const inner = this.#scope([node.body!], scope);
    for (const name of names) inner.names.add(name);
    this.#visit(node.body!, inner, top);
  }

  /** A frame with what the expressions bind in it. */
  #scope(expressions: readonly AstNode[], outer: Scope | undefined): Scope {
    const scope: Scope = { names: new Set(), outer };
    const seen = new Set<AstNode>();
    const collect = (node: AstNode): void => {
      if (seen.has(node) || node.type === 'block' || node.type === 'lambda') return;
      seen.add(node);
      if (node.type === 'bind' && !Array.isArray(node.lhs)) {
        scope.names.add(String(node.lhs?.value));
        if (node.lhs !== undefined) this.binds.push({ name: String(node.lhs.value), ...spanOf(node.lhs) });
      }
      for (const child of childrenOf(node)) collect(child);
    };
    for (const one of expressions) collect(one);
    return scope;
  }

  #variable(node: AstNode, after: readonly AstNode[], scope: Scope, top: boolean): void {
    const name = String(node.value);
    if (name === '' || name === '$') {
      if (name === '' && !top) return;
      const [next] = after;
      if (next?.type === 'name' && plain(node)) this.names.add(String(next.value));
      else this.whole = true;
      return;
    }
    for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) if (at.names.has(name)) return;
    if (FUNCTIONS.has(name)) return;
    const path: string[] = [];
    for (let at = 0; at < after.length && plain(at === 0 ? node : after[at - 1]!) && after[at]!.type === 'name'; at++)
      path.push(String(after[at]!.value));
    const span = spanOf(node);
    this.bindings.set(span.start, { name, path, ...span });
  }
}

/** Without a predicate or a variable of its own, so that the next step reads members of it. */
const plain = (step: AstNode): boolean =>
  step.predicate === undefined && step.stages === undefined && step.focus === undefined;

export function spanOf(variable: AstNode): { readonly start: number; readonly end: number } {
  const end = variable.position ?? 0;
  return { start: Math.max(0, end - String(variable.value).length - 1), end };
}

function readsContext({ procedure, arguments: given = [] }: AstNode): boolean {
  if (procedure?.type !== 'variable') return false;
  return given.length < (CONTEXT_ARGUMENTS.get(String(procedure.value)) ?? 0);
}
