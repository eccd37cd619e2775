/** Custom kinds of a spec: `use = "./policies/tenant-check.ts"`, or an installed package. */
import { relative, resolve, sep } from 'node:path';
import type { Json } from '../bundle/types.js';
import { type BuildFault, type BuiltCode, buildCode, namesCode } from '../custom/bundle-code.js';
import { CodeFailure, type CodeThread } from '../custom/code-thread.js';
import type { ConfigFacts, HelperResults } from '../custom/protocol.js';
import type {
  ActionDeclaration,
  CustomCode,
  Declaration,
  PolicyContext,
  PolicyDeclaration,
  PolicyProblem,
  RequestFact,
} from '../policies/contract.js';
import type { Decoder } from '../schema/decoder.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { type Decoded, INVALID, type JsonSchema, Schema } from '../schema/schema.js';
import type { TableNode, TomlNode } from '../schema/tree.js';
import type { PolicyFileReader } from './model.js';
import { Source } from './source.js';
import type { CustomResolver, UsePlace } from './uses.js';

type Report = (diagnostic: Diagnostic) => void;
type Sort = 'policy' | 'action';

/** A module whose code can be used. */
interface Module {
  readonly use: string;
  readonly code: CustomCode;
  readonly loaded: HelperResults['load'];
}

interface Problem {
  readonly code: 'custom/build' | 'custom/code';
  readonly message: string;
  readonly related: NonNullable<Diagnostic['related']>;
  readonly help?: string | undefined;
}

/** Finds and runs the code that a spec names. Each module is bundled once in a load. */
export class CustomKinds implements CustomResolver {
  readonly #root: string;
  readonly #files: PolicyFileReader;
  readonly #thread: CodeThread | undefined;
  readonly #modules = new Map<string, Module | readonly Problem[]>();
  readonly #declarations = new Map<string, PolicyDeclaration | ActionDeclaration>();
  readonly #sources = new Map<string, Source>();
  /** Names of modules that were not run. */
  readonly #unchecked = new Set<string>();

  /** `thread`: runs compile parts. Undefined: none runs, so the settings of custom policies are not checked. */
  constructor(root: string, files: PolicyFileReader, thread: CodeThread | undefined) {
    this.#root = root;
    this.#files = files;
    this.#thread = thread;
  }

  /** Sources that diagnostics point into. */
  get sources(): readonly Source[] {
    return [...this.#sources.values()];
  }

  /** The modules that were not run, because no thread was given. */
  get unchecked(): readonly string[] {
    return [...this.#unchecked].sort();
  }

  /** Whether `use` is the name of code: a path, or an installed package. */
  isCustom(use: string): boolean {
    return namesCode(use, this.#root);
  }

  policy(place: UsePlace, report: Report): PolicyDeclaration | undefined {
    return this.#declaration(place, 'policy', report) as PolicyDeclaration | undefined;
  }

  action(place: UsePlace, report: Report): ActionDeclaration | undefined {
    return this.#declaration(place, 'action', report) as ActionDeclaration | undefined;
  }

  #declaration(place: UsePlace, sort: Sort, report: Report): PolicyDeclaration | ActionDeclaration | undefined {
    const { use, span, entity } = place;
    const known = this.#declarations.get(`${sort} ${use}`);
    if (known !== undefined) return known;
    if (this.#thread === undefined) {
      this.#unchecked.add(use);
      return this.#remember(sort, use, unchecked(use, sort));
    }
    const module = this.#module(use, this.#thread);
    if ('code' in module && module.loaded.facts.kind === sort)
      return this.#remember(sort, use, this.#declare(module, this.#thread));
    const problems = 'code' in module ? [wrongSort(use, sort)] : module;
    for (const { code, message, related, help } of problems) {
      report({ code, severity: 'error', span, message, related, ...(help === undefined ? {} : { help }), entity });
    }
    return undefined;
  }

  #remember<T extends PolicyDeclaration | ActionDeclaration>(sort: Sort, use: string, declaration: T): T {
    this.#declarations.set(`${sort} ${use}`, declaration);
    return declaration;
  }

  #module(use: string, thread: CodeThread): Module | readonly Problem[] {
    let module = this.#modules.get(use);
    if (module === undefined) {
      module = this.#load(use, buildCode(use, this.#root), thread);
      this.#modules.set(use, module);
    }
    return module;
  }

  #load(use: string, { code, faults, files }: BuiltCode, thread: CodeThread): Module | readonly Problem[] {
    // Reading them makes them part of the provenance, and of what is watched.
    for (const path of files) this.#files.read(path);
    if (code === undefined) return faults.map((fault) => this.#unbuilt(use, fault));
    try {
      return { use, code, loaded: thread.load(code, use) };
    } catch (error) {
      if (!(error instanceof CodeFailure)) throw error;
      return [{ code: 'custom/code', ...this.#failure(use, error), help: CODE_HELP }];
    }
  }

  #unbuilt(use: string, { message, place, help }: BuildFault): Problem {
    const related = place === undefined ? [] : [{ span: this.#spanAt(place), message: 'here' }];
    return {
      code: 'custom/build',
      message: `The code of \`${use}\` cannot be bundled. ${message}`,
      related,
      help: help ?? CODE_HELP,
    };
  }

  #failure(use: string, { message, place }: CodeFailure): Pick<Problem, 'message' | 'related'> {
    const related = place === undefined ? [] : [{ span: this.#spanAt({ ...place, length: 1 }), message: 'here' }];
    const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
    return { message: `The code of \`${use}\` cannot be used. ${sentence}`, related };
  }

  #spanAt({ file, line, column, length }: NonNullable<BuildFault['place']>): Span {
    const source = this.#sourceOf(file);
    const lines = source.text.split('\n', line);
    const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0) + column - 1;
    return source.span(start, start + length);
  }

  #sourceOf(file: string): Source {
    const absolute = resolve(this.#root, file);
    const path = relative(this.#root, absolute).split(sep).join('/');
    let source = this.#sources.get(path);
    if (source === undefined) {
      source = new Source(path, absolute, this.#files.read(absolute).text ?? '');
      this.#sources.set(path, source);
    }
    return source;
  }

  #declare({ use, code, loaded }: Module, thread: CodeThread): PolicyDeclaration | ActionDeclaration {
    const { facts, problems } = loaded;
    const configs = new Configs(use, code, thread, (error) => this.#failure(use, error));
    const factsOf = (config: unknown): ConfigFacts | undefined => configs.factsOf(config);
    const common = {
      use,
      code,
      summary: facts.summary,
      problems,
      requestFacts: (config: unknown) => factsOf(config)?.requestFacts ?? ANYTHING,
      ...configs.declaration(),
    };
    if (facts.kind === 'action') {
      return {
        ...common,
        describe: (config) => factsOf(config)?.describe ?? facts.summary,
        service: (config) => factsOf(config)?.service,
      };
    }
    return {
      ...common,
      phase: facts.phase,
      ...(facts.replyPhase === undefined ? {} : { replyPhase: facts.replyPhase }),
      // Two routes with the same config in place may count apart: nothing says that they do not.
      stateful: true,
      authenticator: facts.authenticator,
      ...(facts.keepsState ? { stateKey: (config: unknown) => factsOf(config)?.stateKey ?? null } : {}),
      traits: (config) => factsOf(config)?.traits ?? {},
      body: (config) => factsOf(config)?.body,
      paths: (config) => factsOf(config)?.paths ?? [],
      replyOnly: (config) => factsOf(config)?.replyOnly ?? false,
      members: (config) => factsOf(config)?.members ?? [],
      duty: (config) => factsOf(config)?.duty,
    };
  }
}

/** What code reads that does not say it. */
const ANYTHING: readonly RequestFact[] = [{ kind: 'anything', at: [] }];

const CODE_HELP = 'Correct the code and save it: gw checks it again.';

const wrongSort = (use: string, wanted: Sort): Problem => {
  const found = wanted === 'policy' ? 'an action' : 'a policy';
  return {
    code: 'custom/code',
    message: `\`${use}\` exports ${found}, but ${wanted === 'policy' ? 'a policy' : 'an action'} is needed here.`,
    related: [],
    help: wanted === 'policy' ? 'Use it as the `action` of a route.' : 'Use it in `policies`.',
  };
};

/** What the helper thread said about each config, and what to do with it. */
class Configs {
  readonly #use: string;
  readonly #code: CustomCode;
  readonly #thread: CodeThread;
  readonly #failure: (error: CodeFailure) => { message: string; related: NonNullable<Diagnostic['related']> };
  readonly #facts = new WeakMap<object, ConfigFacts>();
  /** Settings by config, from the check that lint() has made. */
  readonly #settings = new WeakMap<object, { readonly settings: Json | undefined }>();

  constructor(
    use: string,
    code: CustomCode,
    thread: CodeThread,
    failure: (error: CodeFailure) => { message: string; related: NonNullable<Diagnostic['related']> },
  ) {
    this.#use = use;
    this.#code = code;
    this.#thread = thread;
    this.#failure = failure;
  }

  factsOf(config: unknown): ConfigFacts | undefined {
    return typeof config === 'object' && config !== null ? this.#facts.get(config) : undefined;
  }

  declaration(): Pick<Declaration<unknown, Json>, 'schema' | 'calls' | 'lint' | 'compile'> {
    return {
      schema: new CustomSchema((node, decoder) => this.#decode(node, decoder)),
      calls: (config) => this.factsOf(config)?.calls ?? [],
      lint: (config, context, report) => this.#lint(config, context, report),
      compile: (config, context) => this.#compile(config, context),
    };
  }

  #decode(node: TableNode, decoder: Decoder): Decoded<unknown> {
    try {
      const keySpan = decoder.keySpanOf();
      const found = this.#thread.run(this.#code, this.#use, 'decode', { node, keySpan });
      const { diagnostics, records, expressions, valid } = found;
      decoder.adopt(diagnostics, records, expressions);
      if (valid === undefined) return INVALID;
      // A config that is not a table is wrapped: its facts are found by identity.
      const config = typeof valid.config === 'object' && valid.config !== null ? valid.config : { value: valid.config };
      this.#facts.set(config, valid.facts);
      return config;
    } catch (error) {
      if (!(error instanceof CodeFailure)) throw error;
      const { message, related } = this.#failure(error);
      decoder.error('custom/code', node.headSpan ?? node.span, message, { related, help: CODE_HELP });
      return INVALID;
    }
  }

  #lint(config: unknown, context: PolicyContext, report: (problem: PolicyProblem) => void): void {
    try {
      const { problems, settings } = this.#check(config, context);
      for (const problem of problems) {
        const code = problem.severity === 'error' ? 'custom/lint-error' : 'custom/lint-warning';
        report({ help: `The code of \`${this.#use}\` reports this.`, ...problem, code });
      }
      if (typeof config === 'object' && config !== null) this.#settings.set(config, { settings });
    } catch (error) {
      if (!(error instanceof CodeFailure)) throw error;
      report({ code: 'custom/code', severity: 'error', at: [], message: this.#failureAt(error), help: CODE_HELP });
    }
  }

  #failureAt(error: CodeFailure): string {
    const { place } = error;
    const where = place === undefined ? '' : ` (\`${place.file}:${place.line}:${place.column}\`)`;
    return `${this.#failure(error).message.replace(/\.$/, '')}${where}.`;
  }

  #compile(config: unknown, context: PolicyContext): Json | undefined {
    const known = typeof config === 'object' && config !== null ? this.#settings.get(config) : undefined;
    return known === undefined ? this.#check(config, context).settings : known.settings;
  }

  #check(config: unknown, { name, plans, routes, consumers, readFile }: PolicyContext): HelperResults['check'] {
    const request = { config: config as Json, name, plans, routes };
    return this.#thread.run(this.#code, this.#use, 'check', request, { consumers, readFile });
  }
}

/** A schema whose decoder runs in the helper thread. */
class CustomSchema extends Schema<unknown> {
  readonly expected = 'a table';
  readonly #decode: (node: TableNode, decoder: Decoder) => Decoded<unknown>;
  constructor(decode: (node: TableNode, decoder: Decoder) => Decoded<unknown>) {
    super();
    this.#decode = decode;
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<unknown> {
    return node.kind === 'table' ? this.#decode(node, decoder) : INVALID;
  }
  jsonSchema(): JsonSchema {
    return { type: 'object' };
  }
}

/** A kind whose code must not run: every table is accepted, and nothing is said about it. */
function unchecked(use: string, sort: Sort): PolicyDeclaration | ActionDeclaration {
  const schema = new CustomSchema((node) => ({ keys: [...node.entries.keys()] }));
  // What the code reads is not known either: nothing is reported by mistake.
  const common = { use, summary: 'Custom code that was not run', schema, requestFacts: () => [], compile: () => null };
  if (sort === 'action') return { ...common, describe: () => use };
  // It may authenticate, and it may read the reply.
  return {
    ...common,
    unchecked: true,
    phase: 'authorize',
    stateful: true,
    traits: () => ({ authenticates: true }),
    replyOnly: () => true,
  };
}
