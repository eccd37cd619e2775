/** Reads the expressions of an aggregate: JSONata over the bodies of the calls, by their names. Compile part. */
import type { ConfigPath, Json, RequestFact, TextPart } from '../../policies/contract.js';
import { compileJsonata, type JsonataRead } from '../../policies/kits/jsonata/index.js';
import type { AggregateConfig } from './schema.js';
import type { TemplateFault, Use } from './templates.js';
import { parsePath, type WrittenPath } from './value-path.js';

/** Where an expression is. */
export interface ExpressionPlace {
  /** The call that it belongs to; undefined: the reply. */
  readonly by: string | undefined;
  readonly at: ConfigPath;
  readonly text: string;
  /** `$item` has a value. */
  readonly each: boolean;
}

export interface ReadExpression {
  readonly uses: readonly Use[];
  readonly faults: readonly TemplateFault[];
  readonly facts: readonly RequestFact[];
}

/** Every expression of a config. */
export function expressionsOf({ call, merge, status }: AggregateConfig): readonly ExpressionPlace[] {
  const ofCalls = Object.entries(call).flatMap(([by, one]) => {
    const at = ['call', by];
    const place = (key: 'if' | 'for_each' | 'json', each: boolean): readonly ExpressionPlace[] => {
      const text = one[key];
      return text === undefined ? [] : [{ by, at: [...at, key], text, each }];
    };
    return [...place('if', false), ...place('for_each', false), ...place('json', one.for_each !== undefined)];
  });
  const ofReply = (key: string, text: unknown): readonly ExpressionPlace[] =>
    typeof text === 'string' ? [{ by: undefined, at: [key], text, each: false }] : [];
  return [...ofCalls, ...ofReply('status', status), ...ofReply('merge', merge)];
}

const SIMPLE = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;
const LITERALS = /^(?:true|false|null)$/;

/** The path of an expression that is nothing else: it needs no JSONata. */
export function pathOf(text: string, each: boolean): WrittenPath | undefined {
  const trimmed = text.trim();
  if (each && /^\$item(?:\.[A-Za-z_]\w*)*$/.test(trimmed)) return parsePath(trimmed.slice(1));
  if (/^\$calls\.\w+\.status$/.test(trimmed)) return parsePath(trimmed.slice(1));
  if (!SIMPLE.test(trimmed) || LITERALS.test(trimmed)) return undefined;
  const [name = '', ...path] = trimmed.split('.');
  return { call: name, of: 'body', path };
}

const VARIABLES = ['body', 'calls', 'request', 'consumer', 'claims', 'client'] as const;

export function readExpression(place: ExpressionPlace, config: AggregateConfig): ReadExpression {
  const { at, by, each, text } = place;
  const whole: TextPart = { text, start: 0, end: text.length };
  const path = pathOf(text, each);
  if (path !== undefined) return { uses: [{ by, at, part: whole, name: text.trim(), path }], faults: [], facts: [] };
  const bindings = [...VARIABLES, ...(each ? ['item'] : []), ...(by === undefined ? ['errors'] : [])];
  const program = compileJsonata(text, { bindings });
  if ('error' in program) {
    const { end, error: message, start } = program;
    // An empty place is shown as the whole text.
    const part = start === end ? whole : { text, start, end };
    return { uses: [], faults: [{ code: 'aggregate/jsonata', at, part, message }], facts: [] };
  }
  const { reads } = program;
  const uses: Use[] = reads.names.map((name) => ({
    by,
    at,
    part: wordIn(text, name),
    name,
    path: { call: name, of: 'body', path: [] },
  }));
  let all = reads.whole;
  for (const {
    end,
    name,
    path: [call],
    start,
  } of reads.bindings) {
    if (name === 'body')
      uses.push({
        by,
        at,
        part: { text, start, end },
        name: '$body',
        path: { call: undefined, of: 'request', path: [] },
      });
    if (name !== 'calls') continue;
    if (call === undefined) all = true;
    else uses.push({ by, at, part: { text, start, end }, name: call, path: { call, of: 'reply', path: [] } });
  }
  const facts = reads.bindings.flatMap((read) => factOf(read, at));
  if (!all) return { uses, faults: [], facts };
  if (by === undefined) {
    const everything = Object.keys(config.call).map(
      (call): Use => ({ by, at, part: whole, name: call, path: { call, of: 'body', path: [] } }),
    );
    return { uses: [...uses, ...everything], faults: [], facts };
  }
  const message = 'The expression may read the results of all calls, so the order of the calls is not known.';
  return { uses, faults: [{ code: 'aggregate/jsonata', at, part: whole, message }], facts };
}

/** The first place of a name in a text. */
function wordIn(text: string, name: string): TextPart {
  const start = Math.max(0, text.search(new RegExp(`(?<![\\w$])${name.replace(/[^\w]/g, '\\$&')}(?!\\w)`)));
  return { text, start, end: start + name.length };
}

/** What a variable says about the request. Method, path and route are no facts: every key has them. */
function factOf({ name, path: [part, key] }: JsonataRead, at: ConfigPath): readonly RequestFact[] {
  const named = key === undefined ? {} : { name: key };
  if (name === 'consumer' || name === 'client') return [{ kind: name, at }];
  if (name === 'claims') return [{ kind: name, ...(part === undefined ? {} : { name: part }), at }];
  if (name !== 'request') return [];
  switch (part) {
    case 'query':
      return [{ kind: 'query', ...named, at }];
    case 'headers':
      return [{ kind: 'field', ...(key === undefined ? {} : { name: key.toLowerCase() }), at }];
    case 'params':
      return [{ kind: 'param', ...named, at }];
    case 'id':
    case 'host':
    case 'scheme':
      return [{ kind: part, at }];
    case 'method':
    case 'path':
      return [];
    default:
      return [{ kind: 'anything', at }];
  }
}

/** The settings of an expression: a path, or the program with the calls whose bodies it reads. */
export function expressionEntry(text: string, each: boolean, indices: ReadonlyMap<string, number>): Json {
  const path = pathOf(text, each);
  if (path !== undefined) {
    const call = path.call === undefined ? -1 : (indices.get(path.call) ?? -1);
    return { call, of: path.of, path: path.path };
  }
  const program = compileJsonata(text);
  if ('error' in program) return { jsonata: text, calls: [] };
  const { names, whole } = program.reads;
  const calls = whole ? [...indices.values()] : names.flatMap((name) => indices.get(name) ?? []);
  return { jsonata: text, calls };
}
