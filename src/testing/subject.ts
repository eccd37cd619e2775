/** A policy under test: what the compiler made of it, and how to create it. */
import type { Json } from '../bundle/types.js';
import type { CreatePolicy, PolicyContext, PolicyFile, PolicyInstance } from '../contract/index.js';
import { type DefinedPolicy, KIND, type PolicyDefinition } from '../custom/definition.js';
import { findingsOf } from '../custom/facts.js';
import { instanceOf } from '../custom/instance.js';
import { plainConfig, plainSettings } from '../custom/plain.js';
import { languageWith } from '../expression/check.js';
import { INVALID, type Schema, s } from '../schema/declare.js';
import { Decoder } from '../schema/decoder.js';
import type { Span } from '../schema/diagnostic.js';
import type { TableEntry, TomlNode } from '../schema/tree.js';

export interface Subject {
  readonly name: string;
  readonly settings: Json;
  readonly create: CreatePolicy;
  /** Codes of the errors that it declares. */
  readonly codes: ReadonlySet<string>;
  /** Names of the services that it calls. */
  readonly calls: readonly string[];
  /** The policies that it composes. */
  readonly members: ReadonlyMap<string, PolicyInstance>;
  readonly collects: { readonly request: boolean; readonly reply: boolean };
}

const nowhere = { offset: 0, line: 1, column: 1 };
const span: Span = { file: 'test', start: nowhere, end: nowhere };
const base = { span, from: 'spec' as const };

/** A value as a located tree, as if it stood in a spec. */
function node(value: unknown): TomlNode {
  if (typeof value === 'string') return { ...base, kind: 'string', value };
  if (typeof value === 'boolean') return { ...base, kind: 'boolean', value };
  if (typeof value === 'number') return { ...base, kind: Number.isInteger(value) ? 'integer' : 'float', value };
  if (Array.isArray(value)) return { ...base, kind: 'array', items: value.map(node) };
  const entries = new Map<string, TableEntry>();
  for (const [key, item] of Object.entries(Object(value))) entries.set(key, { key, keySpan: span, value: node(item) });
  return { ...base, kind: 'table', entries };
}

/** What a spec around the policy holds. */
export interface Surroundings {
  /** Texts of the files that context.readFile() reads. */
  readonly files?: { readonly [path: string]: string };
  readonly params?: readonly string[];
}

/** The keys of the policy in a spec, without `use`. */
export type Config = { readonly [key: string]: unknown };

/** Decodes, lints and compiles a config as gw does. Throws an Error that lists what is wrong with it. */
export function subjectOf(policy: PolicyDefinition, config: Config = {}, around: Surroundings = {}): Subject {
  const decoded = decode(policy, config);
  const context = contextOf(around);
  const problems = findingsOf({ ...policy, [KIND]: 'policy' }, plainConfig(decoded), context);
  const errors = problems.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  if (errors.length > 0) throw new Error(errors.join('\n'));
  const settings = policy.compile === undefined ? plainConfig(decoded) : policy.compile(decoded, context);
  const body = policy.body?.(decoded);
  return {
    name: 'test',
    settings: settings === undefined ? null : plainSettings(settings),
    create: (given, host) => instanceOf(policy, given, host),
    codes: new Set((policy.problems ?? []).map(({ code }) => code)),
    calls: (policy.calls?.(decoded) ?? []).map(({ service, url = '' }) => service ?? new URL(url).origin),
    members: new Map(),
    collects: { request: body?.request !== undefined, reply: body?.reply !== undefined },
  };
}

const LANGUAGE = languageWith((place) => place);
const NO_KEYS: Schema<unknown> = s.object({});

function decode(policy: PolicyDefinition, config: Config): unknown {
  const tree = node(config);
  const decoder = new Decoder(tree, undefined, LANGUAGE);
  const decoded = (policy.schema ?? NO_KEYS).decode(tree, decoder);
  if (decoded === INVALID) throw new Error(decoder.diagnostics.map(({ message }) => message).join('\n'));
  return decoded;
}

function contextOf({ files = {}, params = [] }: Surroundings): PolicyContext {
  const readFile = (path: string): PolicyFile =>
    files[path] === undefined ? { cause: 'no such file' } : { text: files[path] };
  return {
    name: 'test',
    routes: [{ name: 'test', params, methods: [], path: '/', schemes: ['http', 'https'] }],
    consumers: [],
    plans: [],
    readFile,
  };
}

/** Whether a value is what definePolicy() returned. */
export const isPolicy = (value: unknown): value is DefinedPolicy =>
  typeof value === 'object' && value !== null && 'phase' in value && 'create' in value;
