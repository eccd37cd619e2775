/** Compile part of cors. */
import { declarePolicy } from '../compile-kit.js';
import { type CorsConfig, type CorsSettings, schema } from './schema.js';

export default declarePolicy<CorsConfig, CorsSettings>({
  use: 'cors',
  summary: 'Answers CORS preflights and adds CORS fields to replies',
  // Before authentication: a preflight carries no credential.
  phase: 'guard',
  // A page must be able to read every reply, also one of gw's own.
  replyPhase: 'fields',
  stateful: false,
  schema,
  traits: () => ({ answersPreflight: true }),
  codes: [
    {
      code: 'cors/any-origin-with-credentials',
      severity: 'error',
      summary: 'Credentials are allowed for every origin',
    },
  ],
  lint(config, _context, report) {
    if (!config.credentials || !config.origins.includes('*')) return;
    report({
      code: 'cors/any-origin-with-credentials',
      severity: 'error',
      at: ['origins', config.origins.indexOf('*')],
      message:
        '`credentials = true` with origin `*` would let any web page send requests with the cookies of its visitor and read the replies.',
      help: 'List the allowed origins, or remove `credentials`.',
    });
  },
  compile(config) {
    const wildcards = config.origins.filter((origin) => origin.includes('://*.'));
    return {
      anyOrigin: config.origins.includes('*'),
      origins: config.origins.filter((origin) => !origin.includes('*')),
      wildcards: wildcards.map((origin) => {
        const star = origin.indexOf('*');
        return { before: origin.slice(0, star), after: origin.slice(star + 1) };
      }),
      methods: config.methods,
      ...(config.headers.includes('*') ? {} : { headers: config.headers.join(', ').toLowerCase() }),
      expose: config.expose.join(', ').toLowerCase(),
      credentials: config.credentials,
      maxAge: Math.floor(config.max_age / 1000),
    };
  },
});
