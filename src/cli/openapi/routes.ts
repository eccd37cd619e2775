/** Operations of an OpenAPI document -> routes. */
import { type Data, type DataTable, field, isList, isTable, type OpenApiDocument, textOf } from './document.js';
import { type RouteDraft, shown } from './draft.js';
import type { Notes } from './notes.js';
import { readParameters } from './parameters.js';
import { pathDraft, pathText } from './paths.js';
import { Guards } from './security.js';
import type { Services } from './servers.js';
import { nameApart, settle } from './settle.js';

const METHODS: ReadonlySet<string> = new Set(['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace']);
/** Keys of a path item that are not operations (OpenAPI 3.1 section 4.8.9). */
const NOT_OPERATIONS: ReadonlySet<string> = new Set([
  '$ref',
  'summary',
  'description',
  'servers',
  'parameters',
  'security',
]);
/** `x-amazon-apigateway-any-method` and its like at other gateways, and what authors write for it. */
const ANY_METHOD = /^(x-.*any-?method|x-any|any|all|\*)$/i;
/** A name is shown in logs and metrics. */
const LONGEST_NAME = 200;

interface Reader {
  readonly document: OpenApiDocument;
  readonly services: Services;
  readonly guards: Guards;
  readonly notes: Notes;
  readonly routes: RouteDraft[];
}

/** Routes in document order; `notes` takes what could not be kept as it was. */
export function routeDrafts(document: OpenApiDocument, services: Services, notes: Notes): RouteDraft[] {
  const reader: Reader = { document, services, notes, guards: new Guards(document), routes: [] };
  const paths = field(document.root, 'paths');
  for (const [template, item] of Object.entries(isTable(paths) ? paths : {})) {
    if (!template.startsWith('x-')) readPath(reader, template, item);
  }
  const kept = settle(reader.routes, notes);
  nameApart(kept);
  for (const route of kept) noteGuard(route, notes);
  return kept;
}

function noteGuard(route: RouteDraft, notes: Notes): void {
  const { note } = route.guard;
  if (note === undefined) return;
  notes.add(note.kind, route.name, `\`${route.name}\` (${shown(route)}): ${note.text}`, note.of);
  route.comments.push(capitalised(note.text));
}

const capitalised = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

function readPath(reader: Reader, template: string, itemOrRef: Data | undefined): void {
  const { notes } = reader;
  const item = pathItem(reader, template, itemOrRef);
  if (item === undefined) return;
  for (const [key, operationOrRef] of Object.entries(item)) {
    const lower = key.toLowerCase();
    const any = ANY_METHOD.test(key);
    if (!any && !METHODS.has(lower)) {
      if (!NOT_OPERATIONS.has(key) && !key.startsWith('x-')) {
        notes.add(
          'left',
          `${key} ${template}`,
          `\`${template}\` has \`${key}\`, which is not a method of OpenAPI; it is left out.`,
        );
      }
      continue;
    }
    const found = reader.document.follow(operationOrRef);
    const operation = 'data' in found ? found.data : undefined;
    if (isTable(operation)) readOperation(reader, template, item, any ? undefined : lower.toUpperCase(), operation);
    else if (operationOrRef !== null || 'broken' in found) {
      const why = 'broken' in found ? `refers to ${found.broken}` : 'is not a table';
      notes.add('left', `${key} ${template}`, `\`${key} ${template}\` ${why} and is left out.`);
    }
  }
}

/** The path item with what it refers to; keys beside `$ref` win. */
function pathItem({ document, notes }: Reader, template: string, itemOrRef: Data | undefined): DataTable | undefined {
  const found = document.follow(itemOrRef);
  const beside = field(itemOrRef, '$ref') !== undefined && isTable(itemOrRef) ? itemOrRef : {};
  if ('broken' in found) {
    const whole = Object.keys(beside).length <= 1;
    const how = found.elsewhere ? ' Put the parts into one file first: `npx @redocly/cli bundle`.' : '';
    const text = `\`${template}\` refers to ${found.broken}, and ${whole ? 'is left out' : 'its target is left out'}.${how}`;
    notes.add('left', template, text);
    return whole ? undefined : beside;
  }
  if (!isTable(found.data)) {
    if (found.data !== null)
      notes.add('left', template, `\`${template}\` is not a table of operations and is left out.`);
    return undefined;
  }
  return { ...found.data, ...beside };
}

function readOperation(
  { document, services, guards, notes, routes }: Reader,
  template: string,
  item: DataTable,
  method: string | undefined,
  operation: DataTable,
): void {
  const parameters = readParameters(document, field(item, 'parameters'), field(operation, 'parameters'));
  for (const broken of parameters.broken) {
    notes.add('reference', template, `a parameter of \`${template}\` refers to ${broken}; any text is taken for it.`);
  }
  const draft = pathDraft(template, parameters);
  if (typeof draft === 'string') {
    notes.add('left', template, `\`${template}\` ${draft}`);
    return;
  }
  for (const { kind, text } of draft.notes) notes.add(kind, template, `\`${template}\`: ${text}`);
  const servers = [field(operation, 'servers'), field(item, 'servers'), field(document.root, 'servers')];
  const service = services.of(servers.find((list) => isList(list) && list.length > 0));
  const id = textOf(field(operation, 'operationId'))?.trim();
  const own = id || `${(method ?? 'any').toLowerCase()}-${pathText(draft.segments)}`;
  // gw would read `${` as the beginning of a reference.
  const name = own.slice(0, LONGEST_NAME).replaceAll('${', '{');
  const tags = field(operation, 'tags');
  const tag = isList(tags) ? tags.map(textOf).find((text) => text !== undefined && text.trim() !== '') : undefined;
  routes.push({
    name,
    method,
    segments: draft.segments,
    conditions: draft.conditions,
    guard: guards.of(operation, item),
    service,
    tag: tag?.trim(),
    comments: draft.notes.map(({ text }) => `${template}: ${text}`),
  });
}
