/**
 * Compiles schemas to validators with ajv, at load, and runs them within bounds. The package is loaded when the first policy
 * of a data plane needs it, which is never on a request.
 *
 * ajv's own code has three costs that a client could drive up: backtracking patterns, lists of errors without a bound, and
 * recursion that multiplies. Patterns are automata here; the generated code counts errors and calls.
 */
import { createRequire } from 'node:module';
import type { Ajv as AjvInstance, ErrorObject, Format, Options, ValidateFunction } from 'ajv';
import type { Json } from '../contract.js';
import { shortened } from './json.js';
import { LINEAR_FORMATS } from './schema-formats.js';
import { type TextAutomatonEntry, TextMatcher } from './text-pattern.js';

/** As in a bundle; schema-documents.ts makes it. */
export interface SchemaSetEntry {
  readonly dialect: '2020-12' | 'draft-07';
  /** JSON texts. */
  readonly documents: { readonly [uri: string]: string };
  readonly patterns: { readonly [source: string]: readonly TextAutomatonEntry[] | null };
  readonly formats: { readonly [name: string]: readonly TextAutomatonEntry[] };
}

export interface Failure {
  /** JSON pointer (RFC 6901) to the value, or to the member that is missing or must not be there. */
  readonly pointer: string;
  /** `must be integer`. */
  readonly detail: string;
}

/** Failures that are listed. */
export const MAX_FAILURES = 20;
/** Errors in one schema after which the list ends: an error in `anyOf` has several. */
const MAX_ERRORS = 100;
/** Calls of schemas by reference within one value. */
const MAX_CALLS = 1_000_000;

type Mode = Pick<Options, 'allErrors' | 'validateSchema' | 'meta'>;
type AjvClass = new (options: Options) => AjvInstance;

/** Ends a validation: the list of errors is long enough, or the value takes too many calls. */
class Spent extends Error {
  constructor(readonly errors: readonly ErrorObject[] | undefined) {
    super('the validation was ended');
  }
}

/** Called by the generated code. */
class Budget {
  #calls = 0;

  reset(): void {
    this.#calls = 0;
  }

  enter(): void {
    if (++this.#calls > MAX_CALLS) throw new Spent(undefined);
  }

  count(errors: number, list: readonly ErrorObject[] | null): void {
    if (errors > MAX_ERRORS) throw new Spent(list ?? undefined);
  }
}

export class Validator {
  readonly #check: ValidateFunction;
  readonly #list: ValidateFunction;
  readonly #budgets: readonly Budget[];

  constructor(check: ValidateFunction, list: ValidateFunction, budgets: readonly Budget[]) {
    this.#check = check;
    this.#list = list;
    this.#budgets = budgets;
  }

  /** Undefined if the value is valid; otherwise at least one failure, and at most MAX_FAILURES. */
  failures(value: Json): readonly Failure[] | undefined {
    for (const budget of this.#budgets) budget.reset();
    try {
      if (this.#check(value)) return undefined;
    } catch (error) {
      if (!(error instanceof Spent)) throw error;
      return [{ pointer: '', detail: 'takes too many steps to check' }];
    }
    const first = this.#check.errors ?? [];
    let errors: readonly ErrorObject[];
    try {
      this.#list(value);
      errors = this.#list.errors ?? first;
    } catch (error) {
      if (!(error instanceof Spent)) throw error;
      errors = error.errors ?? first;
    }
    return listed(errors.length === 0 ? first : errors);
  }
}

/** Compiles the schemas of one set. */
export class SchemaCompiler {
  readonly #check: Instance;
  readonly #list: Instance;

  /** `strict`: checks the schemas against their dialect first, at compile time. */
  constructor(set: SchemaSetEntry, { strict = false, formats = true }: { strict?: boolean; formats?: boolean } = {}) {
    this.#check = new Instance(set, { allErrors: false, validateSchema: strict, meta: strict }, formats);
    this.#list = new Instance(set, { allErrors: true, validateSchema: false, meta: false }, formats);
  }

  /** Throws Error, with what is wrong, for a schema that is invalid or refers to nothing. */
  compile(uri: string): Validator {
    const check = this.#check.compile(uri);
    return new Validator(check, this.#list.compile(uri), [this.#check.budget, this.#list.budget]);
  }
}

class Instance {
  readonly budget = new Budget();
  readonly #ajv: AjvInstance;

  constructor(set: SchemaSetEntry, options: Mode, formats: boolean) {
    const require = createRequire(import.meta.url);
    const dialect = new Set<string>();
    const loaded = require(set.dialect === 'draft-07' ? 'ajv' : 'ajv/dist/2020.js') as { readonly default: AjvClass };
    this.#ajv = new loaded.default({
      ...options,
      strict: false,
      // 1e999 is infinite when it is read.
      strictNumbers: true,
      ownProperties: true,
      // Decimal fractions are not exact: 19.99 / 0.01 is 1998.9999999999998.
      multipleOfPrecision: 9,
      logger: false,
      validateFormats: formats,
      code: { regExp: matchersOf(set, dialect), process: bounded },
    });
    for (const entry of Object.values(this.#ajv.schemas)) patternsIn(entry?.schema as Json, dialect);
    Object.assign(this.#ajv, { budget: this.budget });
    this.#ajv.removeKeyword('uniqueItems');
    this.#ajv.addKeyword({
      keyword: 'uniqueItems',
      type: 'array',
      schemaType: 'boolean',
      error: { message: 'must NOT have duplicate items' },
      validate: (wanted: boolean, items: readonly Json[]) => !wanted || areUnique(items),
    });
    const documents = Object.entries(set.documents).map(([uri, text]) => [uri, JSON.parse(text) as Json] as const);
    this.#addFormats(set, require);
    for (const [uri, schema] of documents) {
      // Unknown formats are annotations.
      for (const name of formatsIn(schema)) if (this.#ajv.formats[name] === undefined) this.#ajv.addFormat(name, true);
      this.#ajv.addSchema(schema as object, uri);
    }
  }

  compile(uri: string): ValidateFunction {
    return this.#ajv.compile({ $ref: uri });
  }

  #addFormats(set: SchemaSetEntry, require: NodeJS.Require): void {
    const { fullFormats } = require('ajv-formats/dist/formats.js') as {
      readonly fullFormats: { readonly [name: string]: Format };
    };
    for (const name of LINEAR_FORMATS) this.#ajv.addFormat(name, fullFormats[name]!);
    for (const [name, entries] of Object.entries(set.formats)) {
      const matcher = new TextMatcher(entries);
      this.#ajv.addFormat(name, { type: 'string', validate: (text: string) => matcher.test(text) });
    }
  }
}

/** Every value of a key `format`: more names than those of schemas do no harm. */
function formatsIn(value: Json, found = new Set<string>()): Set<string> {
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, each] of Object.entries(value as { readonly [key: string]: Json })) {
    if (key === 'format' && typeof each === 'string') found.add(each);
    else formatsIn(each, found);
  }
  return found;
}

type RegExpEngine = NonNullable<NonNullable<Options['code']>['regExp']>;

/** Notes the patterns of a schema of a dialect, which checks schemas at compile time. */
function patternsIn(value: Json | undefined, found: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, each] of Object.entries(value as { readonly [key: string]: Json })) {
    if (key === 'pattern' && typeof each === 'string') found.add(each);
    else if (key === 'patternProperties') for (const source of Object.keys(each as object)) found.add(source);
    patternsIn(each, found);
  }
}

/** The automata of the set in place of regular expressions, which only `trusted` patterns may be. */
function matchersOf(set: SchemaSetEntry, trusted: ReadonlySet<string>): RegExpEngine {
  const native = (source: string, flags: string): RegExp => new RegExp(source, flags);
  const find = (source: string, flags: string): RegExp | { test(text: string): boolean; toString(): string } => {
    const entries = Object.hasOwn(set.patterns, source) ? set.patterns[source] : undefined;
    if (entries === undefined) {
      if (trusted.has(source)) return native(source, flags);
      throw new Error(`the pattern \`${source.slice(0, 200)}\` is at a place that gw does not know as a schema`);
    }
    const matcher = entries === null ? undefined : new TextMatcher(entries);
    return { test: (text) => matcher === undefined || matcher.test(text), toString: () => `/${source}/gw` };
  };
  return Object.assign(find, { code: 'gw' }) as RegExpEngine;
}

/** Adds the counts to the code that ajv generates. */
function bounded(code: string): string {
  const entered = code.replaceAll('let vErrors = null;', 'self.budget.enter();let vErrors = null;');
  // A schema without any check has no errors.
  if (entered === code && code.includes('vErrors')) throw new Error('ajv generates other code than expected');
  return entered.replaceAll(/errors\+\+;|errors = vErrors\.length;/g, '$&self.budget.count(errors,vErrors);');
}

/** Linear in the size of the items: compares them by their text with sorted names. */
function areUnique(items: readonly Json[]): boolean {
  const seen = new Set<string>();
  for (const item of items) {
    const text = canonical(item);
    if (seen.has(text)) return false;
    seen.add(text);
  }
  return true;
}

function canonical(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonical).join()}]`;
  const table = value as { readonly [key: string]: Json };
  const names = Object.keys(table).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(table[name]!)}`).join()}}`;
}

/** Parameters of an error that name a member. */
const NAMED = ['missingProperty', 'additionalProperty', 'unevaluatedProperty', 'propertyName'];

function listed(errors: readonly ErrorObject[]): Failure[] {
  const found = new Map<string, Failure>();
  for (const error of errors) {
    if (found.size >= MAX_FAILURES) break;
    if (error.keyword === 'if') continue;
    const params = error.params as { readonly [name: string]: unknown };
    const name = NAMED.map((key) => params[key]).find((value) => typeof value === 'string') as string | undefined;
    const step = name === undefined ? '' : `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const failure = { pointer: shortened(`${error.instancePath}${step}`, 300), detail: detailOf(error) };
    const key = `${failure.pointer}\n${failure.detail}`;
    if (!found.has(key)) found.set(key, failure);
  }
  return [...found.values()];
}

function detailOf({ keyword, message = 'is not valid', params }: ErrorObject): string {
  const { allowedValues, allowedValue } = params as { allowedValues?: readonly Json[]; allowedValue?: Json };
  if (keyword === 'required' || keyword === 'dependentRequired') return 'is required';
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') return 'is not allowed';
  if (keyword === 'enum' && allowedValues !== undefined) {
    return shortened(`must be one of ${allowedValues.map((value) => JSON.stringify(value)).join(', ')}`, 300);
  }
  if (keyword === 'const') return shortened(`must be ${JSON.stringify(allowedValue)}`, 300);
  if (keyword === 'false schema') return 'is not allowed';
  return shortened(message, 300);
}
