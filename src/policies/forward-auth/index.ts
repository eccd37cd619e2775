/** Compile part of forward-auth. */
import { callerFacts, declarePolicy } from '../compile-kit.js';
import { calledOf, calledProblem, callsOf } from '../kits/called-service.js';
import { OWN_FIELDS } from './own-fields.js';
import { PROBLEMS } from './problems.js';
import { type ForwardAuthConfig, type ForwardAuthSettings, schema } from './schema.js';

export default declarePolicy<ForwardAuthConfig, ForwardAuthSettings>({
  use: 'forward-auth',
  summary: 'Lets another service decide whether a request may pass',
  phase: 'authenticate',
  authenticator: true,
  stateful: false,
  schema,
  requestFacts: ({ take }) => callerFacts(take, ['take']),
  traits: ({ take, send, body }) => ({
    authenticates: true,
    ownsRequestFields: lower(take),
    callFields: lower([...OWN_FIELDS, ...send, ...(body === undefined ? [] : ['content-type'])]),
  }),
  problems: Object.values(PROBLEMS),
  calls: callsOf,
  body: ({ body }) => (body === undefined ? undefined : { request: { max: body, mandatory: true } }),
  codes: [
    {
      code: 'forward-auth/service',
      severity: 'error',
      summary: 'A forward-auth policy names no service, or two',
    },
    {
      code: 'forward-auth/cached-body',
      severity: 'error',
      summary: 'A forward-auth policy keeps answers that depend on bodies',
    },
  ],
  lint(config, _context, report) {
    const { body, cache } = config;
    const words = { missing: 'This policy does not say which service decides.', does: 'decides' };
    const problem = calledProblem(config, 'forward-auth/service', words);
    if (problem !== undefined) report(problem);
    if (body !== undefined && cache !== undefined)
      report({
        code: 'forward-auth/cached-body',
        severity: 'error',
        at: ['cache'],
        message: 'The service decides by the body, but a kept answer would be used for other bodies too.',
        help: 'Remove `cache` or `body`.',
      });
  },
  compile(config) {
    const { timeout, consumer, cache, body } = config;
    return {
      ...calledOf(config),
      method: config.method ?? (body === undefined ? 'GET' : 'POST'),
      send: lower(config.send),
      credentials: lower(config.credentials ?? config.send),
      take: lower(config.take),
      answer: lower(config.answer),
      ...(consumer === undefined ? {} : { consumer: consumer.toLowerCase() }),
      ...(body === undefined ? {} : { body }),
      timeout,
      maxAnswer: config.max_answer,
      ...(cache === undefined ? {} : { cache: { ttl: cache.ttl, by: cache.by } }),
    };
  },
});

const lower = (names: readonly string[]): string[] => [...new Set(names.map((name) => name.toLowerCase()))];
