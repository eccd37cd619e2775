/** Compile part of validate. */
import { declarePolicy } from '../compile-kit.js';
import type { ConfigPath, Json, PolicyContext, PolicyProblem } from '../contract.js';
import { DocumentError, openOpenApi } from '../kits/openapi.js';
import { member, SchemaDocuments, type SchemaFault } from '../kits/schema-documents.js';
import { SchemaCompiler, type Validator } from '../kits/schema-validator.js';
import { describeParameter, membersOf } from './describe.js';
import { type Described, describeOperation, findOperation, operationOfRoute } from './operation.js';
import { withSources } from './path-sources.js';
import { PROBLEMS } from './problems.js';
import {
  type ContentEntry,
  type Place,
  type PlaceEntry,
  schema,
  type ValidateConfig,
  type ValidateSettings,
} from './schema.js';

type Report = (problem: PolicyProblem) => void;

const FILE_KEYS = ['path', 'query', 'headers', 'body', 'reply'] as const;

export default declarePolicy<ValidateConfig, ValidateSettings>({
  use: 'validate',
  summary: 'Checks requests and replies against JSON Schema or OpenAPI',
  phase: 'validate',
  stateful: false,
  schema,
  problems: Object.values(PROBLEMS),
  codes: [
    { code: 'validate/nothing', severity: 'error', summary: 'A validate policy has no schema' },
    { code: 'validate/conflict', severity: 'error', summary: 'A validate policy has two sources of schemas' },
    { code: 'validate/file', severity: 'error', summary: 'A schema or document cannot be read' },
    { code: 'validate/schema', severity: 'error', summary: 'A schema is invalid' },
    { code: 'validate/operation', severity: 'error', summary: 'An operation is not in the OpenAPI document' },
    { code: 'validate/parameter', severity: 'error', summary: 'A path parameter is not one of the route' },
    { code: 'validate/pattern', severity: 'error', summary: 'A pattern of a schema needs backtracking' },
    { code: 'validate/skipped-pattern', severity: 'warning', summary: 'A pattern of a schema is not checked' },
    { code: 'validate/unchecked', severity: 'warning', summary: 'A schema of a media type is not checked' },
  ],
  body: (config) => {
    const reads = config.body !== undefined || config.openapi !== undefined;
    const request = reads ? { request: { max: config.max_body, mandatory: true } } : {};
    const reply = config.replies === 'enforce' ? { reply: { max: config.max_reply, mandatory: true } } : {};
    return { ...request, ...reply };
  },
  lint(config, context, report) {
    const missing = shapeProblem(config);
    if (missing !== undefined) {
      report(missing);
      return;
    }
    settingsOf(config, context, report);
  },
  compile: (config, context) => settingsOf(config, context, () => {}),
});

/** What is wrong with the set of keys. */
function shapeProblem(config: ValidateConfig): PolicyProblem | undefined {
  const files = FILE_KEYS.filter((key) => config[key] !== undefined);
  const problem = (code: string, at: ConfigPath, message: string, help: string): PolicyProblem => ({
    code: `validate/${code}`,
    severity: 'error',
    at,
    message,
    help,
  });
  if (config.openapi !== undefined && files.length > 0) {
    const message = `\`openapi\` and \`${files[0]}\` both describe the request: only one of them can be used.`;
    return problem('conflict', [files[0]!], message, 'Remove one of them, or use two policies.');
  }
  if (config.openapi === undefined && config.operation !== undefined) {
    const message = '`operation` needs an OpenAPI document, and `openapi` is not set.';
    return problem('conflict', ['operation'], message, 'Add `openapi = "openapi.yaml"`, or remove `operation`.');
  }
  if (config.openapi === undefined && files.length === 0) {
    const help =
      'Set `body = "schemas/order.json"`, `query`, `path`, `headers` or `reply`, or `openapi = "openapi.yaml"`.';
    return problem('nothing', [], 'This policy has no schema, so it would check nothing.', help);
  }
  if (config.openapi === undefined && config.reply === undefined && config.replies !== 'off') {
    const message = `\`replies = "${config.replies}"\` has no schema to check replies against.`;
    return problem('nothing', ['replies'], message, 'Set `reply = "schemas/order.json"`.');
  }
  return undefined;
}

/** Everything that the config names, read and checked. Undefined after an error. */
function settingsOf(config: ValidateConfig, context: PolicyContext, report: Report): ValidateSettings | undefined {
  const documents = new SchemaDocuments(context.readFile, config.unsafe_patterns === 'skip');
  let failed = false;
  const problem: Report = (given) => {
    if (given.severity === 'error') failed = true;
    report(given);
  };
  const described =
    config.openapi === undefined
      ? fromSchemas(config, documents, problem)
      : fromDocument(config, config.openapi, { context, documents, problem });
  const at: ConfigPath = config.openapi === undefined ? [] : ['openapi'];
  reportFaults(documents.faults.splice(0), at, config, problem);
  if (described === undefined || failed) return undefined;
  const places = described.places.map((place) => withSources(place, described.path, context, problem));
  const settings = assemble(config, { ...described, places }, documents);
  checkSchemas(settings, config, problem);
  return failed ? undefined : settings;
}

function reportFaults(faults: readonly SchemaFault[], at: ConfigPath, config: ValidateConfig, problem: Report): void {
  const skip = config.unsafe_patterns === 'skip';
  const help = {
    file: 'Paths are relative to the folder of the root spec.',
    schema: 'Correct the schema.',
    pattern: skip
      ? 'Rewrite the pattern without what it names, so that it is checked.'
      : 'Rewrite the pattern without what it names, or set `unsafe_patterns = "skip"` to leave it unchecked.',
  };
  for (const { kind, message } of faults) {
    const skipped = kind === 'pattern' && skip;
    problem({
      code: skipped ? 'validate/skipped-pattern' : `validate/${kind}`,
      severity: skipped ? 'warning' : 'error',
      at,
      message,
      help: help[kind],
    });
  }
}

const PLACE_OF: { readonly [key: string]: Place } = { path: 'path', query: 'query', headers: 'header' };

function fromSchemas(config: ValidateConfig, documents: SchemaDocuments, problem: Report): Described {
  const uris = new Map<string, string>();
  for (const key of FILE_KEYS) {
    const reference = config[key];
    const uri = reference === undefined ? undefined : documents.schema(reference);
    reportFaults(documents.faults.splice(0), [key], config, problem);
    if (uri !== undefined) uris.set(key, uri);
  }
  const places = Object.entries(PLACE_OF).flatMap(([key, place]): PlaceEntry[] => {
    const uri = uris.get(key);
    if (uri === undefined) return [];
    const located = { schema: documents.find(uri), uri: uri.split('#', 1)[0]! };
    const members = new Map(membersOf(documents, located));
    // A name may be required without a schema.
    for (const name of place === 'query' ? [] : requiredIn(located.schema)) {
      if (!members.has(name)) members.set(name, { schema: true, uri });
    }
    const parameters = [...members].map(([name, value]) =>
      describeParameter(documents, name, value, {
        style: place === 'query' ? 'form' : 'simple',
        explode: place === 'query',
      }),
    );
    return [{ place, schema: uri, parameters, all: place === 'query' }];
  });
  const content = (key: string): ContentEntry[] =>
    config.media_types.map((type) => ({ type, kind: 'json', ...(uris.has(key) ? { schema: uris.get(key)! } : {}) }));
  return {
    places,
    body: config.body === undefined ? undefined : { required: config.body_required, content: content('body') },
    replies: config.reply === undefined ? {} : { '2XX': content('reply') },
    unchecked: [],
  };
}

function requiredIn(schema: Json | undefined): string[] {
  const required = member(schema, 'required');
  return Array.isArray(required) ? (required as readonly Json[]).map(String) : [];
}

interface Around {
  readonly context: PolicyContext;
  readonly documents: SchemaDocuments;
  readonly problem: Report;
}

function fromDocument(config: ValidateConfig, path: string, around: Around): Described | undefined {
  const { context, documents, problem } = around;
  const fail = (code: string, at: ConfigPath, message: string, help: string): undefined => {
    problem({ code: `validate/${code}`, severity: 'error', at, message, help });
  };
  try {
    const document = openOpenApi(context.readFile, path);
    const wanted = config.operation ?? operationOfRoute(context);
    if (wanted === undefined) {
      // A policy that no route uses is complete as it is.
      if (context.routes.length === 0) return undefined;
      const message = 'It is not clear which operation this policy checks: its routes have several methods or paths.';
      return fail('operation', ['openapi'], message, 'Set `operation = "POST /orders"`.');
    }
    const operation = findOperation(document, wanted);
    if (operation === undefined && document.faults.length === 0) {
      const message = `The document \`${path}\` has no operation \`${wanted}\`.`;
      const at = config.operation === undefined ? 'openapi' : 'operation';
      return fail(
        'operation',
        [at],
        message,
        'Write method and path as in the document: `operation = "POST /orders/{id}"`.',
      );
    }
    const described = operation && describeOperation(document, operation, documents, config.replies !== 'off');
    const help = 'Correct the reference. Paths in it are relative to the file that has it.';
    for (const message of document.faults) fail('file', ['openapi'], message, help);
    if (described === undefined) return undefined;
    for (const message of described.unchecked) {
      const hint = 'Describe the body as JSON or as a form, or let the target check it.';
      problem({ code: 'validate/unchecked', severity: 'warning', at: ['openapi'], message, help: hint });
    }
    return described;
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    const help = 'Name an OpenAPI 3.0 or 3.1 document. Paths are relative to the folder of the root spec.';
    return fail('file', ['openapi'], error.message, help);
  }
}

function assemble(config: ValidateConfig, described: Described, documents: SchemaDocuments): ValidateSettings {
  const { places, body, replies } = described;
  return {
    set: documents.finish() as ValidateSettings['set'],
    formats: config.formats,
    closed: config.openapi !== undefined,
    places,
    ...(body === undefined ? {} : { body }),
    ...(config.replies === 'off' ? {} : { replies: { mode: config.replies, max: config.max_reply, content: replies } }),
  };
}

/** What ajv says, without its names for the schema and its documents. */
const reasonIn = (message: string): string =>
  message
    .replace('schema is invalid: ', '')
    .replaceAll(/\bdata\//g, '/')
    .replaceAll(/gw:\/\/[a-z]+\/\w+/g, '')
    .slice(0, 300);

/** Every schema that the settings name. */
export function schemasOf({ places, body, replies }: ValidateSettings): string[] {
  const contents = [...(body?.content ?? []), ...Object.values(replies?.content ?? {}).flat()];
  const all = [...places.map(({ schema: uri }) => uri), ...contents.flatMap(({ schema: uri }) => uri ?? [])];
  return [...new Set(all)];
}

/** Compiles the schemas as a worker will, and against their dialect. */
function checkSchemas(settings: ValidateSettings, config: ValidateConfig, problem: Report): void {
  try {
    const compiler = new SchemaCompiler(settings.set, { strict: true, formats: settings.formats });
    for (const uri of schemasOf(settings)) probe(compiler.compile(uri));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const key = config.openapi === undefined ? FILE_KEYS.find((each) => config[each] !== undefined)! : 'openapi';
    problem({
      code: 'validate/schema',
      severity: 'error',
      at: [key],
      message: `The schema is not valid: ${error instanceof RangeError ? ENDLESS : reasonIn(error.message)}.`,
      help: 'Correct the schema, or its `$schema` if it is written for another dialect.',
    });
  }
}

const ENDLESS = 'a reference in it leads back to itself, so checking a value would never end';

/** Throws RangeError for a schema that refers to itself for the same value: the stack overflows. */
function probe(validator: Validator): void {
  for (const value of [null, true, 0, '', [], {}]) validator.failures(value);
}
