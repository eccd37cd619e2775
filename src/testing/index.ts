/**
 * Tests of custom policies: `import { assert, contractSuite, policyOf, test } from 'gw/policy/testing'`.
 *
 * `gw policy test` runs them. Under another runner, contractChecks() gives the suite as functions.
 */
import assert from 'node:assert/strict';
import type { Json } from '../bundle/types.js';
import type { Decision, HeaderFields, PolicyInstance, Reply } from '../contract/index.js';
import type { DefinedPolicy } from '../custom/definition.js';
import { type Check, type CheckOptions, contractChecks as checksOf } from './checks.js';
import { bytesOf, type TestRequest, testExchange } from './exchange.js';
import { runExchange, type TargetReply } from './run.js';
import { type Config, type Subject, type Surroundings, subjectOf } from './subject.js';
import { type LogLine, TestWorld, type WorldOptions } from './world.js';

export type { Check, CheckOptions, Config, LogLine, Surroundings, TargetReply, TestRequest };
export { assert };

export interface PolicyOptions extends WorldOptions, Surroundings {}

/** What one request led to. */
export interface TestResult {
  /** Of the reply. */
  readonly status: number;
  /** Error slug of a reply by the policy. */
  readonly code: string | undefined;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  /** Fields behind the body. */
  readonly trailers: { readonly [name: string]: string };
  /** Whether the policy answered itself; otherwise the target did. */
  readonly answered: boolean;
  /** The request as the target gets it; undefined if the policy answered. */
  readonly forwarded: Forwarded | undefined;
  readonly decisions: readonly Decision[];
}

export interface Forwarded {
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  /** Fields behind the body. */
  readonly trailers: { readonly [name: string]: string };
}

/** A policy with its config, on a virtual clock. */
export class TestedPolicy {
  readonly #subject: Subject;
  readonly #world: TestWorld;
  readonly #policy: PolicyInstance;
  #ids = 0;

  constructor(policy: DefinedPolicy, config: Config, options: PolicyOptions) {
    this.#subject = subjectOf(policy, config, options);
    this.#world = new TestWorld(options);
    const { name, settings, create, calls, members } = this.#subject;
    this.#policy = create(JSON.parse(JSON.stringify(settings)), this.#world.host(name, calls, members));
  }

  /** What compile() has made of the config. */
  get settings(): Json {
    return this.#subject.settings;
  }

  get log(): readonly LogLine[] {
    return this.#world.log;
  }

  /** Sends a request through every hook. `target`: what the target replies; default: 200 without a body. */
  async request(request: TestRequest = {}, target: TargetReply = {}): Promise<TestResult> {
    const exchange = testExchange(request, `test-${++this.#ids}`, this.#world.time.now());
    const { collects } = this.#subject;
    const { body, trailers } = request;
    const result = await runExchange(this.#policy, exchange, { body, trailers, target, collects });
    const { answered, sent, sentTrailers } = result;
    return {
      ...sentOf(result.reply, result.body, result.trailers),
      answered,
      forwarded: answered
        ? undefined
        : {
            headers: plain(exchange.headers),
            body: Buffer.from(sent ?? []).toString(),
            trailers: plain(sentTrailers),
          },
      decisions: exchange.decisions ?? [],
    };
  }

  /** The answer to a request for one of its paths(), by the name of the path. */
  async answer(path: string, request: TestRequest = {}): Promise<TestResult> {
    const exchange = testExchange(request, `test-${++this.#ids}`, this.#world.time.now());
    if (this.#policy.answer === undefined) throw new Error('The policy has no answer().');
    const reply = await this.#policy.answer(exchange, path, bytesOf(request.body ?? ''));
    const body = reply.body instanceof Uint8Array ? reply.body : new Uint8Array(0);
    return { ...sentOf(reply, body), answered: true, forwarded: undefined, decisions: exchange.decisions ?? [] };
  }

  /** A value of the policy's duty. */
  published(value: Json): void {
    this.#policy.published?.(value);
  }

  /** Lets time pass, in milliseconds: timers of `host.after()` come due. */
  advance(ms: number): void {
    this.#world.advance(ms);
  }

  close(): void {
    this.#policy.close?.();
  }
}

const plain = (fields: HeaderFields | undefined): { readonly [name: string]: string } =>
  Object.fromEntries(fields?.entries() ?? []);

const sentOf = (
  reply: Reply | undefined,
  body: Uint8Array,
  trailers?: HeaderFields,
): Pick<TestResult, 'status' | 'code' | 'headers' | 'body' | 'trailers'> => ({
  status: reply?.status ?? 0,
  code: reply?.code,
  headers: plain(reply?.headers),
  body: Buffer.from(body).toString(),
  trailers: plain(trailers),
});

/**
 * Creates a policy as gw does: decodes the config by the schema, lints, compiles, and calls create().
 * @throws Error with the messages if the config is not valid.
 */
export const policyOf = (policy: DefinedPolicy, config: Config = {}, options: PolicyOptions = {}): TestedPolicy =>
  new TestedPolicy(policy, config, options);

export interface SuiteOptions extends CheckOptions, Surroundings {}

/** The contract suite for one config. */
export const contractChecks = (
  policy: DefinedPolicy,
  config: Config = {},
  options: SuiteOptions = {},
): readonly Check[] => checksOf(subjectOf(policy, config, options), options);

const registered: Check[] = [];

/** Registers a test for `gw policy test`. */
export function test(name: string, run: () => void | Promise<void>): void {
  registered.push({ name, run: async () => run() });
}

/** Registers the contract suite as tests. */
export function contractSuite(policy: DefinedPolicy, config: Config = {}, options: SuiteOptions = {}): void {
  registered.push({ name: 'the config is valid', run: async () => void subjectOf(policy, config, options) });
  for (const { name } of checksOf(PLACEHOLDER)) {
    const run = async (): Promise<void> =>
      contractChecks(policy, config, options)
        .find((check) => check.name === name)!
        .run();
    registered.push({ name, run });
  }
}

const PLACEHOLDER: Subject = {
  name: 'test',
  settings: null,
  create: () => ({}),
  codes: new Set(),
  calls: [],
  members: new Map(),
  collects: { request: false, reply: false },
};

/** For `gw policy test`: the tests registered so far, which are then forgotten. */
export const takeTests = (): Check[] => registered.splice(0);
