/** Makes instances of definitions, and checks what create() and authenticate() return: it may come from plain JavaScript. */
import type { Json } from '../bundle/types.js';
import type { ActionHost, ActionInstance, Authentication, PolicyHost, PolicyInstance } from '../contract/index.js';
import { isToken } from '../field-syntax.js';
import type { ActionDefinition, PolicyDefinition } from './definition.js';

/** Hooks that see an exchange. A policy without any would let everything pass. */
const HOOKS = [
  'permits',
  'authenticate',
  'strip',
  'before',
  'readsRequest',
  'onRequestBody',
  'requestStage',
  'onAttempt',
  'after',
  'readsReply',
  'onReplyBody',
  'replyStage',
  'answer',
  'finished',
] as const satisfies readonly (keyof PolicyInstance)[];
const OTHER_HOOKS = [
  'ownsCookie',
  'published',
  'maskRecord',
  'stats',
  'close',
] as const satisfies readonly (keyof PolicyInstance)[];
const NAMES = [
  'requestFields',
  'clientFields',
  'identityFields',
  'passedFields',
] as const satisfies readonly (keyof PolicyInstance)[];

/**
 * Creates an instance of a policy. Throws for one that would let requests pass unchecked: a promise in place of the hooks, no
 * hook, or a hook that is never called.
 */
export function instanceOf(definition: PolicyDefinition, settings: Json, host: PolicyHost): PolicyInstance {
  const instance = created<PolicyInstance>(definition.create(settings, host), 'hooks');
  for (const name of [...HOOKS, ...OTHER_HOOKS]) checkFunction(name, instance[name]);
  for (const name of NAMES)
    if (!isListOf(instance[name], isToken)) throw new Error(`${name} must be a list of field names`);
  if (!isListOf(instance.secretParams, () => true)) throw new Error('secretParams must be a list of names');
  if (!HOOKS.some((name) => instance[name] !== undefined))
    throw new Error('create() returns no hook that takes part in an exchange, such as before() or after()');
  if (definition.authenticator === true && instance.authenticate === undefined)
    throw new Error('the definition says `authenticator`, but create() returns no authenticate()');
  if ((definition.paths === undefined) !== (instance.answer === undefined))
    throw new Error('`paths` of the definition and answer() belong together, but only one of them is there');
  const unread = (['onRequestBody', 'onReplyBody'] as const).find((name) => instance[name] !== undefined);
  if (unread !== undefined && definition.body === undefined)
    throw new Error(
      `${unread} is never called, because the definition has no \`body\` that says which bodies to collect`,
    );
  return instance;
}

/** Creates an instance of an action. Throws for one that cannot answer. */
export function actionInstanceOf(definition: ActionDefinition, settings: Json, host: ActionHost): ActionInstance {
  const instance = created<ActionInstance>(definition.create(settings, host), 'start()');
  if (instance.start === undefined) throw new Error('create() returns no start()');
  for (const name of ['start', 'finished', 'stats', 'close'] as const) checkFunction(name, instance[name]);
  return instance;
}

function created<T extends object>(instance: unknown, what: string): T {
  if (instance instanceof Promise)
    throw new Error(`create() returns a promise, but it must return an object with ${what} at once`);
  if (typeof instance !== 'object' || instance === null)
    throw new Error(`create() must return an object with ${what}, not ${instance === null ? 'null' : typeof instance}`);
  return instance as T;
}

function checkFunction(name: string, hook: unknown): void {
  if (hook !== undefined && typeof hook !== 'function')
    throw new Error(`${name} must be a function, but it is ${hook === null ? 'null' : `a ${typeof hook}`}`);
}

const isListOf = (value: unknown, test: (name: string) => boolean): boolean =>
  value === undefined || (Array.isArray(value) && value.every((name) => typeof name === 'string' && test(name)));

/** The result of authenticate(). Throws TypeError for one that the contract does not know: the request is refused. */
export function checkedAuthentication(found: Authentication): Authentication {
  const fault = faultOfAuthentication(found);
  if (fault !== undefined) throw new TypeError(`authenticate() returned ${fault}`);
  return found;
}

function faultOfAuthentication(found: unknown): string | undefined {
  if (!isRecord(found)) return 'no outcome';
  const { outcome, consumer, credential, claims, problem, why } = found;
  if (typeof why !== 'string') return 'an outcome without `why`';
  if (outcome === 'unavailable') return undefined;
  if (outcome === 'identity') {
    if (consumer !== undefined && !(isRecord(consumer) && typeof consumer.name === 'string' && isRecord(consumer.tags)))
      return 'a consumer that is not in host.consumers';
    if (credential !== undefined && !(isRecord(credential) && typeof credential.kind === 'string'))
      return 'a credential that is not one of the consumer';
    return claims === undefined || isRecord(claims) ? undefined : 'claims that are not an object';
  }
  if (outcome !== 'absent' && outcome !== 'refused') return `the unknown outcome ${String(outcome)}`;
  if (!isRecord(problem) || typeof problem.code !== 'string' || typeof problem.title !== 'string')
    return `the outcome ${outcome} without a problem`;
  const { status = 401 } = problem;
  return typeof status === 'number' && status >= 400 && status <= 599
    ? undefined
    : 'a problem whose status is not an error';
}

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
