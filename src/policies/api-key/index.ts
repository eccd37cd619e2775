/** api-key, the half that the compiler reads. */
import { declarePolicy } from '../compile-kit.js';
import { type ApiKeyConfig, type ApiKeySettings, schema } from './schema.js';

export default declarePolicy<ApiKeyConfig, ApiKeySettings>({
  use: 'api-key',
  summary: 'Asks for an API key and finds the consumer whose key it is.',
  phase: 'authenticate',
  stateful: false,
  schema,
  traits: (config) => {
    const header = headerOf(config);
    return { authenticates: !config.optional, ...(header === undefined ? {} : { ownsRequestFields: [header] }) };
  },
  codes: [
    {
      code: 'api-key/no-keys',
      severity: 'warning',
      summary: 'A policy asks for API keys, but no consumer has one: nobody can pass.',
    },
  ],
  lint(config, context, report) {
    if (config.optional || context.routes.length === 0) return;
    if (context.consumers.some((consumer) => consumer.apiKeys > 0)) return;
    report({
      code: 'api-key/no-keys',
      severity: 'warning',
      at: [],
      message: 'This policy asks for an API key, but no consumer has one: every request will get 401.',
      help: 'Give a consumer `api_keys = ["sha256:..."]`; the hash of a key is `printf %s KEY | sha256sum`.',
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
