/** What a definition says about itself, checked: it may come from plain JavaScript. */
import { type Json, PHASES, type PolicyBody, REPLY_PHASES } from '../bundle/types.js';
import type {
  CallTarget,
  DeclaredProblem,
  PolicyContext,
  PolicyPath,
  PolicyTraits,
  RequestFact,
} from '../contract/index.js';
import { REQUEST_FACTS } from '../schema/request-facts.js';
import type { CustomDuty, CustomProblem, DefinedAction, DefinedPolicy, Definition } from './definition.js';
import { CodeError } from './evaluate.js';
import { plainResult } from './plain.js';
import type { ConfigFacts, StaticFacts } from './protocol.js';
import { checkedResult, fieldName, flag, listOf, oneOf, optional, path, record, status, text } from './shapes.js';

/** Throws CodeError for a definition that cannot be used. */
export function staticFacts(definition: Definition): StaticFacts {
  const { summary } = definition;
  if (typeof summary !== 'string' || summary === '') throw invalid('`summary` must be a text.');
  if (!('phase' in definition)) return { kind: 'action', summary };
  const { phase, replyPhase } = definition;
  if (!PHASES.includes(phase)) throw invalid(`\`phase\` must be one of ${listed(PHASES)}.`);
  if (replyPhase !== undefined && !REPLY_PHASES.includes(replyPhase))
    throw invalid(`\`replyPhase\` must be one of ${listed(REPLY_PHASES)}.`);
  const keepsState = definition.stateKey !== undefined;
  return { kind: 'policy', summary, phase, replyPhase, keepsState, authenticator: definition.authenticator === true };
}

const invalid = (message: string): CodeError => new CodeError(message, undefined);
const listed = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ');

const NO_FACTS = {
  traits: {},
  body: undefined,
  stateKey: null,
  replyOnly: false,
  members: [],
  paths: [],
  duty: undefined,
};

const PROBLEMS = listOf(record({ code: text, status, title: text, description: text }));

/** The errors that it declares. */
export const problemsOf = ({ problems = [] }: Definition): readonly DeclaredProblem[] =>
  checkedResult(problems, 'problems', PROBLEMS, 'a list of objects with `code`, `status`, `title` and `description`');

const PROBLEM = record({
  severity: oneOf('error', 'warning'),
  at: path,
  message: text,
  part: optional(text),
  help: optional(text),
  related: optional(listOf(record({ at: path, message: text }))),
});
/** Findings of one policy that are kept. */
const MOST_FINDINGS = 100;

/** What lint() reports. */
export function findingsOf(definition: Definition, config: Json, context: PolicyContext): readonly CustomProblem[] {
  const found: CustomProblem[] = [];
  const result: unknown = definition.lint?.(config, context, (problem) => {
    const expected = 'an object with `severity`, `at` (a path such as `["allowed", 0]`) and `message`';
    const checked = checkedResult<CustomProblem>(problem, 'the problem that lint() reports', PROBLEM, expected);
    if (found.length < MOST_FINDINGS) found.push(checked);
  });
  // What it reports later would be lost.
  if (result instanceof Promise) plainResult(result, 'the result of lint()');
  return found;
}

/** Milliseconds that a load waits for the first run of a duty, unless the definition says otherwise, and at most. */
const DUTY_WAIT = 5000;
const MAX_DUTY_WAIT = 60_000;

function dutyOf(duty: CustomDuty<unknown, Json> | undefined, config: Json): ConfigFacts['duty'] {
  if (duty === undefined) return undefined;
  if (typeof duty?.create !== 'function') throw invalid('`duty` must be an object with create().');
  const { wait = DUTY_WAIT, required = true } = duty;
  if (!(wait >= 0 && wait <= MAX_DUTY_WAIT))
    throw invalid(`\`duty.wait\` must be a number of milliseconds, at most ${MAX_DUTY_WAIT}.`);
  if (typeof required !== 'boolean') throw invalid('`duty.required` must be true or false.');
  return duty.needed?.(config) === false ? undefined : { wait, required };
}

const NAMES = listOf(text);
const CACHE_KEY = record({
  at: path,
  consumer: flag,
  fields: listOf(fieldName),
  cookies: NAMES,
  query: (value) => value === 'all' || record({ allow: NAMES })(value) || record({ deny: NAMES })(value),
  removesQuery: optional(flag),
  claims: optional((value) => NAMES(value) || record({ except: NAMES })(value)),
  client: optional(flag),
  route: flag,
});

const TRAITS = record({
  cacheKey: optional(CACHE_KEY),
  authenticates: optional(flag),
  limitsBy: optional(text),
  rate: optional(flag),
  answersPreflight: optional(flag),
  ownsRequestFields: optional(listOf(fieldName)),
  callFields: optional(listOf(fieldName)),
});
const TRAITS_EXPECTED =
  'an object with `authenticates`, `rate` or `answersPreflight` (true or false), `limitsBy` (a text), `ownsRequestFields` or `callFields` (lists of field names), `cacheKey` (an object)';
const NAMED = record({ name: text, at: path });

export function policyFacts(definition: DefinedPolicy, config: Json): ConfigFacts {
  const stateKey = definition.stateKey?.(config);
  return {
    calls: callsOf(definition, config),
    requestFacts: requestFactsOf(definition, config),
    traits: checkedResult<PolicyTraits>(definition.traits?.(config) ?? {}, 'traits', TRAITS, TRAITS_EXPECTED),
    body: bodyOf(definition.body?.(config)),
    stateKey: stateKey === undefined ? null : plainResult(stateKey, 'stateKey'),
    replyOnly: definition.replyOnly?.(config) === true,
    members: checkedResult<ConfigFacts['members']>(
      definition.members?.(config) ?? [],
      'members',
      listOf(NAMED),
      'a list of objects with `name` and `at`',
    ),
    paths: pathsOf(definition, config),
    duty: dutyOf(definition.duty, config),
    describe: definition.summary,
    service: undefined,
  };
}

const PATH = record({ name: text, match: text, at: path, maxBody: optional(Number.isSafeInteger) });
const PATHS_EXPECTED = 'a list of objects with different `name`, `match`, `at`, and perhaps `maxBody`';

function pathsOf(definition: DefinedPolicy, config: Json): readonly PolicyPath[] {
  const paths = checkedResult<readonly PolicyPath[]>(
    definition.paths?.(config) ?? [],
    'paths',
    listOf(PATH),
    PATHS_EXPECTED,
  );
  if (new Set(paths.map(({ name }) => name)).size < paths.length) throw invalid(`\`paths\` must be ${PATHS_EXPECTED}.`);
  return paths;
}

export function actionFacts(definition: DefinedAction, config: Json): ConfigFacts {
  const service = definition.service?.(config);
  return {
    ...NO_FACTS,
    calls: callsOf(definition, config),
    requestFacts: requestFactsOf(definition, config),
    describe: String(definition.describe?.(config) ?? definition.summary),
    service:
      service === undefined ? undefined : checkedResult(service, 'service', NAMED, 'an object with `name` and `at`'),
  };
}

const FACTS = listOf(record({ kind: oneOf(...REQUEST_FACTS), name: optional(text), at: path, why: optional(text) }));

/** Names of fields in lower case. */
function requestFactsOf(definition: Definition, config: Json): readonly RequestFact[] | undefined {
  const found = definition.requestFacts?.(config);
  if (found === undefined) return undefined;
  const expected = 'a list of objects with `kind` and `at`, and perhaps `name` and `why`';
  const facts = checkedResult<readonly RequestFact[]>(found, 'requestFacts', FACTS, expected);
  return facts.map((fact) =>
    fact.kind === 'field' && fact.name !== undefined ? { ...fact, name: fact.name.toLowerCase() } : fact,
  );
}

const CALL = record({ at: path, service: optional(text), url: optional(text) });
const CALLS_EXPECTED = 'a list of objects with `at`, and with `service` or `url`';

function callsOf(definition: Definition, config: Json): readonly CallTarget[] {
  const calls = checkedResult<readonly CallTarget[]>(
    definition.calls?.(config) ?? [],
    'calls',
    listOf(CALL),
    CALLS_EXPECTED,
  );
  if (calls.some(({ service, url }) => (service === undefined) === (url === undefined)))
    throw invalid(`\`calls\` must be ${CALLS_EXPECTED}.`);
  return calls;
}

function bodyOf(body: PolicyBody | undefined): PolicyBody | undefined {
  if (body === undefined) return undefined;
  if (typeof body !== 'object' || body === null) throw invalid('`body` must be an object with `request` or `reply`.');
  const checked: {
    -readonly [side in keyof PolicyBody]-?: { max: number; mandatory: boolean; encoded?: true } | undefined;
  } = {
    request: undefined,
    reply: undefined,
  };
  for (const side of ['request', 'reply'] as const) {
    const bound = body[side];
    if (bound === undefined) continue;
    if (!Number.isSafeInteger(bound.max) || bound.max < 1)
      throw invalid(`\`body.${side}.max\` must be a number of bytes, at least 1.`);
    const encoded = side === 'request' && bound.encoded === true;
    checked[side] = { max: bound.max, mandatory: bound.mandatory === true, ...(encoded ? { encoded } : {}) };
  }
  const { request, reply } = checked;
  return { ...(request && { request }), ...(reply && { reply }) };
}
