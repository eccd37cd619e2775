/** Compile part of forward-auth. */
import { declarePolicy, parseCallUrl } from '../compile-kit.js';
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
  traits: ({ take, send, body }) => ({
    authenticates: true,
    ownsRequestFields: lower(take),
    callFields: lower([...OWN_FIELDS, ...send, ...(body === undefined ? [] : ['content-type'])]),
  }),
  problems: Object.values(PROBLEMS),
  calls: ({ url, service }) => [
    ...(url === undefined ? [] : [{ at: ['url'], url }]),
    ...(service === undefined ? [] : [{ at: ['service'], service }]),
  ],
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
    const { url, service, path, body, cache } = config;
    const problem = { code: 'forward-auth/service', severity: 'error' } as const;
    if (url === undefined && service === undefined)
      report({
        ...problem,
        at: [],
        message: 'This policy does not say which service decides.',
        help: 'Set `url = "https://..."`, or `service = "NAME"` and `path`.',
      });
    else if (url !== undefined && service !== undefined)
      report({
        ...problem,
        at: ['service'],
        message: 'A service and a URL are set, so it is not clear which one decides.',
        help: 'Keep `url`, or `service` and `path`.',
      });
    else if (url !== undefined && path !== undefined)
      report({
        ...problem,
        at: ['path'],
        message: '`path` belongs to `service`; the URL has a path of its own.',
        help: 'Write the path into `url`.',
      });
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
    const { service, timeout, consumer, cache, body } = config;
    const called = config.url === undefined ? undefined : parseCallUrl(config.url);
    return {
      service: called?.origin ?? service ?? '',
      path: called?.path ?? config.path ?? '/',
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
