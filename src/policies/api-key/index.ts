/** Compile part of api-key. */
import { declarePolicy } from '../compile-kit.js';
import { PROBLEMS } from './problems.js';
import { type ApiKeyConfig, type ApiKeySettings, schema } from './schema.js';

export default declarePolicy<ApiKeyConfig, ApiKeySettings>({
  use: 'api-key',
  summary: 'Authenticates consumers by API key',
  phase: 'authenticate',
  authenticator: true,
  stateful: false,
  schema,
  traits: (config) => {
    const header = headerOf(config);
    const { query, scheme } = config;
    return {
      authenticates: !config.optional,
      // Keys have no claims.
      grants: [],
      claims: [],
      credential: {
        kind: 'key',
        ...(header === undefined ? {} : { header }),
        ...(scheme === undefined ? {} : { scheme }),
        ...(query === undefined ? {} : { query }),
      },
      ...(header === undefined ? {} : { ownsRequestFields: [header] }),
    };
  },
  problems: Object.values(PROBLEMS),
  codes: [
    {
      code: 'api-key/no-keys',
      severity: 'warning',
      summary: 'An api-key policy is used, but no consumer has a key',
    },
  ],
  lint(config, context, report) {
    if (config.optional || context.routes.length === 0) return;
    if (context.consumers.some(({ credentials }) => credentials.includes('key'))) return;
    report({
      code: 'api-key/no-keys',
      severity: 'warning',
      at: [],
      message: 'This policy requires an API key, but no consumer has one: every request gets 401.',
      help: '`gw keys new CONSUMER` writes one and prints it. For a key that exists, add `api_keys = ["sha256:..."]` to a consumer: `printf %s KEY | sha256sum` prints its hash.',
    });
  },
  compile(config) {
    const header = headerOf(config);
    return {
      ...(header === undefined ? {} : { header }),
      ...(config.scheme === undefined ? {} : { scheme: config.scheme }),
      ...(config.query === undefined ? {} : { query: config.query }),
      optional: config.optional,
      realm: config.realm,
    };
  },
});

function headerOf(config: ApiKeyConfig): string | undefined {
  if (config.header !== undefined) return config.header.toLowerCase();
  if (config.scheme !== undefined) return 'authorization';
  return config.query === undefined ? 'x-api-key' : undefined;
}
