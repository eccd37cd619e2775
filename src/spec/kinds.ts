/** Finds the declaration that a `use` names: of a policy, or of an action. */
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { suggest } from '../schema/suggest.js';
import { kindName, type TableNode } from '../schema/tree.js';
import type { CustomResolver, UsePlace } from './uses.js';

/** The kinds of one sort. */
export interface Kinds<Declaration> {
  /** `policy`, `action`. */
  readonly word: string;
  /** Code of the error for a kind that does not exist. */
  readonly unknown: string;
  readonly declarations: readonly (Declaration & { readonly use: string })[];
  /** A declaration by custom code. Called only for a `use` that names code; undefined if that is reported. */
  readonly custom: (
    place: UsePlace,
    kinds: CustomResolver,
    report: (diagnostic: Diagnostic) => void,
  ) => Declaration | undefined;
}

/** Reports what is wrong with the `use` of a table; undefined then. */
export function readKind<Declaration>(
  node: TableNode,
  { word, unknown, declarations, custom }: Kinds<Declaration>,
  entity: string,
  code: CustomResolver | undefined,
  report: (diagnostic: Diagnostic) => void,
): Declaration | undefined {
  const use = node.entries.get('use')?.value;
  const kinds = declarations.map((declaration) => declaration.use);
  const help = `Known kinds: ${kinds.map((kind) => `\`${kind}\``).join(', ')}.`;
  if (!use) {
    const message = `Missing key \`use\`: it sets the kind of the ${word}.`;
    report({ code: 'schema/missing', severity: 'error', span: node.headSpan ?? node.span, message, help, entity });
    return undefined;
  }
  if (use.kind !== 'string') {
    const message = `Expected a kind of ${word}, found ${kindName(use)}.`;
    report({ code: 'schema/type', severity: 'error', span: use.span, message, help, entity });
    return undefined;
  }
  const declaration = declarations.find((known) => known.use === use.value);
  if (declaration) return declaration;
  if (code?.isCustom(use.value)) return custom({ use: use.value, span: use.span, entity }, code, report);
  const near = suggest(use.value, kinds);
  report({
    code: unknown,
    severity: 'error',
    span: use.span,
    message: `Unknown ${word} kind \`${use.value}\`.`,
    help: near === undefined ? help : `Did you mean \`${near}\`?`,
    ...(near === undefined ? {} : { fix: renaming(use.span, near) }),
    entity,
  });
  return undefined;
}

const renaming = (span: Span, name: string) => ({
  title: `Write \`${name}\``,
  applicability: 'safe' as const,
  edits: [{ span, text: JSON.stringify(name) }],
});

/** The table without some of its keys, for the schema of its kind. */
export function without(node: TableNode, ...keys: readonly string[]): TableNode {
  const entries = new Map(node.entries);
  for (const key of keys) entries.delete(key);
  return { ...node, entries };
}
