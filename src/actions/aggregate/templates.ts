/** Reads the templates and values of calls, with the place of each variable. Compile part. */
import {
  factOfVariable,
  parseTemplate,
  parseText,
  unknownVariable,
  withReferences,
} from '../../policies/compile-kit.js';
import type { ConfigPath, Json, RequestFact, TextPart } from '../../policies/contract.js';
import type { AggregateConfig, CallConfig } from './schema.js';
import { parsePath, type WrittenPath } from './value-path.js';

/** Where a result of a call, or an item, is used. */
export interface Use {
  /** The call that uses it; undefined: the reply. */
  readonly by: string | undefined;
  readonly at: ConfigPath;
  readonly part: TextPart;
  /** As written. */
  readonly name: string;
  /** Undefined: not a path. */
  readonly path: WrittenPath | undefined;
}

/** What is wrong with a template. */
export interface TemplateFault {
  readonly code: 'template/syntax' | 'template/unknown-variable' | 'aggregate/jsonata';
  readonly at: ConfigPath;
  readonly part?: TextPart;
  readonly message: string;
}

export interface ReadTemplate {
  /** `{ value: name }` is a path. */
  readonly parts: readonly Json[];
  readonly uses: readonly Use[];
  readonly faults: readonly TemplateFault[];
}

/** Where the template is, and what is known there. */
export interface TemplatePlace {
  readonly by: string | undefined;
  readonly at: ConfigPath;
  readonly params: ReadonlySet<string>;
  /** The call has `for_each`. */
  readonly each: boolean;
  /** Braces also have other meanings: those of JSON. */
  readonly text?: boolean;
}

const WORDS: ReadonlySet<string> = new Set(['body', 'calls', 'item', 'query']);

/** The name without what the parser adds to a name without a dot. */
const writtenName = (name: string, { each }: TemplatePlace): string => (each && name === 'param.item' ? 'item' : name);

const isUse = (name: string, { each }: TemplatePlace): boolean =>
  /^(?:body|calls|item)\./.test(name) || (each && name === 'item');

export function readTemplate(text: string, place: TemplatePlace): ReadTemplate {
  const { at, by, params } = place;
  const known = place.each ? new Set([...params, 'item']) : params;
  const parsed = place.text ? { ...parseText(text, known, WORDS), references: new Set<number>() } : parseTemplate(text);
  if ('error' in parsed)
    return { parts: [], uses: [], faults: [{ code: 'template/syntax', at, message: parsed.error }] };
  const uses: Use[] = [];
  const faults: TemplateFault[] = [];
  for (const variable of parsed.variables) {
    const name = writtenName(variable.name, place);
    const part = { text, start: variable.offset, end: text.indexOf('}', variable.offset) + 1 };
    if (isUse(name, place)) uses.push({ by, at, part, name, path: parsePath(name) });
    else if (!name.startsWith('query.')) {
      const message = unknownVariable(name, params, false);
      if (message !== undefined) faults.push({ code: 'template/unknown-variable', at, part, message });
    }
  }
  const parts = withReferences(parsed).map((part): Json => {
    if (typeof part !== 'object' || part === null || !('var' in part)) return part;
    const name = writtenName(String(part.var), place);
    return isUse(name, place) ? { value: name } : { var: name };
  });
  return { parts, uses, faults };
}

const NO_PARAMS: ReadonlySet<string> = new Set();

/** The facts of requests that templates read. */
export function templateFactsOf(config: AggregateConfig): readonly RequestFact[] {
  const calls = Object.entries(config.call).flatMap(([name, call]) => templatesOf(['call', name], call));
  return [...calls, ...mapped(['headers'], config.headers)].flatMap(([at, text, isText = false]) => {
    const { parts } = readTemplate(text, { by: undefined, at, params: NO_PARAMS, each: true, text: isText });
    return parts.flatMap((part): RequestFact[] => {
      if (typeof part !== 'object' || part === null || !('var' in part)) return [];
      const variable = String(part.var);
      if (variable.startsWith('query.')) return [{ kind: 'query', name: variable.slice('query.'.length), at }];
      const fact = factOfVariable(variable);
      return fact === undefined ? [] : [{ ...fact, at }];
    });
  });
}

/** What uses results of calls. */
export interface ReadUses {
  readonly uses: readonly Use[];
  readonly faults: readonly TemplateFault[];
}

type Texts = readonly (readonly [at: ConfigPath, text: string, isText?: boolean])[];

const mapped = (at: ConfigPath, map: { readonly [name: string]: string }): Texts =>
  Object.entries(map).map(([name, text]) => [[...at, name], text] as const);

/** The templates of a call. */
export const templatesOf = (at: ConfigPath, { body, headers, path, query }: CallConfig): Texts => [
  [[...at, 'path'], path],
  ...mapped([...at, 'query'], query),
  ...mapped([...at, 'headers'], headers),
  ...(body === undefined ? [] : [[[...at, 'body'], body, true] as const]),
];

export function templateUsesOf(config: AggregateConfig, params: ReadonlySet<string>): ReadUses {
  const uses: Use[] = [];
  const faults: TemplateFault[] = [];
  const read = (texts: Texts, by: string | undefined, each: boolean): void => {
    for (const [at, text, isText = false] of texts) {
      const found = readTemplate(text, { by, at, params, each, text: isText });
      uses.push(...found.uses);
      faults.push(...found.faults);
    }
  };
  for (const [name, call] of Object.entries(config.call)) {
    const at = ['call', name];
    read(templatesOf(at, call), name, call.for_each !== undefined);
  }
  read(mapped(['headers'], config.headers), undefined, false);
  return { uses, faults };
}
