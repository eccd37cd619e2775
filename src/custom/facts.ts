/** What a definition says about itself, checked: it may come from plain JavaScript. */
import { type Json, PHASES, type PolicyBody, REPLY_PHASES } from '../bundle/types.js';
import type { CallTarget, PolicyTraits } from '../contract/index.js';
import type { DefinedAction, DefinedPolicy, Definition } from './definition.js';
import { CodeError } from './evaluate.js';
import { plainResult } from './plain.js';
import type { ConfigFacts, StaticFacts } from './protocol.js';

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

const NO_FACTS = { traits: {}, body: undefined, stateKey: null, replyOnly: false, members: [], duty: undefined };

/** Milliseconds that a load waits for the first run of a duty, unless the definition says otherwise. */
const DUTY_WAIT = 5000;

export function policyFacts(definition: DefinedPolicy, config: Json): ConfigFacts {
  const { duty } = definition;
  const needed = duty !== undefined && duty.needed?.(config) !== false;
  const stateKey = definition.stateKey?.(config);
  return {
    calls: callsOf(definition, config),
    traits: plainResult(definition.traits?.(config) ?? {}, 'traits') as Json & PolicyTraits,
    body: bodyOf(definition.body?.(config)),
    stateKey: stateKey === undefined ? null : plainResult(stateKey, 'stateKey'),
    replyOnly: definition.replyOnly?.(config) === true,
    members: plainResult(definition.members?.(config) ?? [], 'members') as Json & ConfigFacts['members'],
    duty: needed ? { wait: duty.wait ?? DUTY_WAIT, required: duty.required !== false } : undefined,
    describe: definition.summary,
    service: undefined,
  };
}

export function actionFacts(definition: DefinedAction, config: Json): ConfigFacts {
  const service = definition.service?.(config);
  return {
    ...NO_FACTS,
    calls: callsOf(definition, config),
    describe: String(definition.describe?.(config) ?? definition.summary),
    service: service === undefined ? undefined : (plainResult(service, 'service') as Json & ConfigFacts['service']),
  };
}

const callsOf = (definition: Definition, config: Json): readonly CallTarget[] =>
  plainResult(definition.calls?.(config) ?? [], 'calls') as Json & readonly CallTarget[];

function bodyOf(body: PolicyBody | undefined): PolicyBody | undefined {
  if (body === undefined) return undefined;
  const checked: { -readonly [side in keyof PolicyBody]-?: { max: number; mandatory: boolean } | undefined } = {
    request: undefined,
    reply: undefined,
  };
  for (const side of ['request', 'reply'] as const) {
    const bound = body[side];
    if (bound === undefined) continue;
    if (!Number.isSafeInteger(bound.max) || bound.max < 1)
      throw invalid(`\`body.${side}.max\` must be a number of bytes, at least 1.`);
    checked[side] = { max: bound.max, mandatory: bound.mandatory === true };
  }
  const { request, reply } = checked;
  return { ...(request && { request }), ...(reply && { reply }) };
}
