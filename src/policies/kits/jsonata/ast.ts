/** The tree of a program, as JSONata's parser makes it, and what of the library the kit relies on. */

export interface AstNode {
  type: string;
  value?: unknown;
  /** Offset behind the token. */
  position?: number;
  steps?: AstNode[];
  stages?: AstStage[];
  predicate?: AstStage[];
  /** Pairs of an object: of a unary `{`. */
  lhs?: AstNode | [AstNode, AstNode][];
  rhs?: AstNode;
  group?: { lhs: [AstNode, AstNode][]; position?: number };
  expressions?: AstNode[];
  expression?: AstNode;
  arguments?: AstNode[];
  procedure?: AstNode;
  body?: AstNode;
  signature?: { readonly definition: string; readonly validate?: unknown };
  condition?: AstNode;
  then?: AstNode;
  else?: AstNode;
  pattern?: AstNode;
  update?: AstNode;
  delete?: AstNode;
  terms?: { expression: AstNode }[];
  focus?: string;
  index?: string;
  /** Set by the kit: all of the result is read, so all of it is paid for. */
  readWhole?: boolean;
  /** Set by the kit: the members of the result are set in the context. */
  isUpdate?: boolean;
  /** Set by the kit: the result becomes the name of a member. */
  isName?: boolean;
  /** Set by the kit: the result becomes a member. */
  isMember?: boolean;
}

export interface AstStage {
  type: string;
  expr?: AstNode;
  value?: string;
}

/** All nodes directly below, in the order of the source where it matters. */
export function childrenOf(node: AstNode): AstNode[] {
  const found: AstNode[] = [];
  const add = (...nodes: (AstNode | undefined)[]): void => {
    for (const one of nodes) if (one !== undefined) found.push(one);
  };
  const pairs = (list: readonly [AstNode, AstNode][]): void => {
    for (const [key, value] of list) add(key, value);
  };
  add(node.procedure, ...(node.arguments ?? []), node.condition, node.then, node.else, ...(node.steps ?? []));
  if (Array.isArray(node.lhs)) pairs(node.lhs);
  else add(node.lhs);
  add(node.rhs, node.expression, ...(node.expressions ?? []), node.body, node.pattern, node.update, node.delete);
  for (const term of node.terms ?? []) add(term.expression);
  for (const stage of [...(node.stages ?? []), ...(node.predicate ?? [])]) add(stage.expr);
  if (node.group !== undefined) pairs(node.group.lhs);
  return found;
}

/** A frame of variables while a program runs. */
export interface Frame {
  bind(name: string | symbol, value: unknown): void;
  lookup(name: string | symbol): unknown;
  timestamp: Date;
  base: BaseFrame;
}

/** The frame of one evaluation. */
export interface BaseFrame extends Frame {
  depth: number;
  options: { sequence?: number } | undefined;
  RegexEngine: unknown;
  guardrails(): void;
  createSequence(...item: unknown[]): unknown[];
}

export interface NativeFunction {
  readonly _jsonata_function: true;
  readonly implementation: (this: Focus, ...args: unknown[]) => unknown;
  readonly signature?: { readonly definition: string };
}

/** `this` of a native function. */
export interface Focus {
  readonly environment: Frame;
  readonly input: unknown;
}

export interface Expression {
  evaluate(input: unknown, bindings?: Record<string, unknown>): Promise<unknown>;
  assign(name: string | symbol, value: unknown): void;
  ast(): AstNode;
}

export type JsonataLibrary = (source: string, options?: { RegexEngine?: unknown }) => Expression;

/** Hooks of the library, by its own names. */
export const ENTRY = Symbol.for('jsonata.__evaluate_entry');
export const EXIT = Symbol.for('jsonata.__evaluate_exit');
