/** Merges the trees of included files: each file adds to the spec. */
import type { Diagnostic } from '../schema/diagnostic.js';
import type { ArrayNode, TableEntry, TableNode, TomlNode } from '../schema/tree.js';

type Report = (diagnostic: Diagnostic) => void;

/** Tables of named entities: files may each add some. */
const SECTIONS: ReadonlySet<string> = new Set(['listener', 'service', 'consumer', 'plan', 'policy']);
/** Tables of settings: files may each set some keys. */
const SETTINGS: ReadonlySet<string> = new Set([
  'normalize',
  'admin',
  'access_log',
  'authentication',
  'overload',
  'state',
  'vault',
  'acme',
  'lint',
  'defaults',
  'defaults.service',
  'defaults.listener',
]);
/** Lists that files may each add to. */
const LISTS: ReadonlySet<string> = new Set(['route', 'group', 'lint.allow']);

/** Merges trees. Adds to its own results in place, because a spec may have thousands of files. */
export class Merger {
  readonly #entries = new Map<TableNode, Map<string, TableEntry>>();
  readonly #items = new Map<ArrayNode, TomlNode[]>();

  constructor(readonly report: Report) {}

  /** Adds the content of an included file. What both define is an error at the later place. */
  add(base: TableNode, added: TableNode): TableNode {
    return this.#union(base, added, '');
  }

  #union(a: TableNode, b: TableNode, inside: string): TableNode {
    const entries = this.#entries.get(a) ?? new Map(a.entries);
    for (const entry of b.entries.values()) {
      const known = entries.get(entry.key);
      if (!known) entries.set(entry.key, entry);
      else entries.set(entry.key, { ...known, value: this.#together(known, entry, `${inside}${entry.key}`) });
    }
    if (this.#entries.has(a)) return a;
    const union = { ...a, entries };
    this.#entries.set(union, entries);
    return union;
  }

  #together(known: TableEntry, entry: TableEntry, path: string): TomlNode {
    const [a, b] = [known.value, entry.value];
    const isSection = SECTIONS.has(path) || SETTINGS.has(path);
    if (a.kind === 'table' && b.kind === 'table' && isSection) return this.#union(a, b, `${path}.`);
    if (a.kind === 'array' && b.kind === 'array' && LISTS.has(path)) return this.#concat(a, b);
    this.report({
      code: 'name/duplicate',
      severity: 'error',
      span: entry.keySpan,
      message: `\`${path}\` is declared twice.`,
      related: [{ span: known.keySpan, message: 'first declared here' }],
      help: 'Remove one of them. Included files can only add; use an overlay to change values of another file.',
    });
    return a;
  }

  #concat(a: ArrayNode, b: ArrayNode): ArrayNode {
    const items = this.#items.get(a) ?? [...a.items];
    for (const item of b.items) items.push(item);
    if (this.#items.has(a)) return a;
    const list = { ...a, items };
    this.#items.set(list, items);
    return list;
  }
}
