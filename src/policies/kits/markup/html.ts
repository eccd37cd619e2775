/** Reads HTML as browsers do. */
import { createRequire } from 'node:module';
import type * as Parse5 from 'parse5';
import { Places, type Reading, UnreadableMarkup } from './place.js';

type Nodes = Parse5.DefaultTreeAdapterTypes.DefaultTreeAdapterMap;
type Node = Nodes['node'];

/** Elements that may be open at the same time: the time to parse grows with their number. Browsers keep 512. */
const MAX_DEPTH = 500;
const MAX_ELEMENTS = 100_000;

let loaded: typeof Parse5 | undefined;

/** The package is loaded when a spec has a template of HTML. */
export function parse5(): typeof Parse5 {
  loaded ??= createRequire(import.meta.url)('parse5') as typeof Parse5;
  return loaded;
}

/** `scripting`: whether scripts run, on which the content of `<noscript>` depends. Throws UnreadableMarkup. */
export function readHtml(sample: string, scripting: boolean): Reading {
  const document = parse5().parse(sample, {
    scriptingEnabled: scripting,
    sourceCodeLocationInfo: true,
    treeAdapter: boundedAdapter(),
  });
  const places = new Places();
  return { places: places.places, tree: treeOf(document, undefined, sample, places) };
}

function boundedAdapter(): typeof Parse5.defaultTreeAdapter {
  const { defaultTreeAdapter } = parse5();
  let depth = 0;
  let elements = 0;
  return {
    ...defaultTreeAdapter,
    createElement(...given) {
      if (++elements > MAX_ELEMENTS) throw new UnreadableMarkup(`it has more than ${MAX_ELEMENTS} elements`);
      return defaultTreeAdapter.createElement(...given);
    },
    onItemPush() {
      if (++depth > MAX_DEPTH) throw new UnreadableMarkup(`more than ${MAX_DEPTH} elements are nested`);
    },
    onItemPop() {
      depth--;
    },
  };
}

/** Adds the places below a node of `parent`, and returns its tree. */
function treeOf(node: Node, parent: Nodes['element'] | undefined, sample: string, places: Places): string {
  const { defaultTreeAdapter: adapter } = parse5();
  if (adapter.isTextNode(node)) {
    places.text(node.value, parent?.tagName ?? '', parent?.namespaceURI !== parse5().html.NS.HTML);
    return '';
  }
  if (adapter.isCommentNode(node)) {
    places.raw(node.data, { kind: 'comment' });
    return '!';
  }
  if (adapter.isDocumentTypeNode(node)) {
    places.raw(`${node.name} ${node.publicId} ${node.systemId}`, { kind: 'doctype' });
    return '?';
  }
  const isElement = adapter.isElementNode(node);
  let tree = '';
  if (isElement) {
    places.raw(node.tagName, { kind: 'tag name' });
    tree = `${node.tagName} ${node.attrs.map(({ name }) => name).join(' ')}`;
    attributesOf(node, sample, places);
  }
  const children = 'content' in node ? node.content.childNodes : node.childNodes;
  for (const child of children) tree += treeOf(child, isElement ? node : parent, sample, places);
  return `<${tree}>`;
}

function attributesOf({ attrs, sourceCodeLocation, tagName }: Nodes['element'], sample: string, places: Places): void {
  const pragma = attrs.some(({ name }) => name === 'http-equiv');
  for (const { name, prefix, value } of attrs) {
    const written = `${prefix ? `${prefix}:` : ''}${name}`.toLowerCase();
    const location = sourceCodeLocation?.attrs?.[written];
    const source = location && sample.slice(location.startOffset, location.endOffset);
    places.attribute({ element: tagName, name: name.toLowerCase(), pragma }, value, source);
  }
}
