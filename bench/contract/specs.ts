/** The policies of `bench contract`, as TOML, and the custom code that they use. */
import type { Setting } from '../proxy/setting.js';

/** Spec lines besides listener, service and routes, and the policies of the routes. */
export interface Hook {
  /** Name in the tables. */
  readonly name: string;
  readonly toml: string;
  readonly policies: readonly string[];
}

/** Custom code: one file for each policy, in the folder of the run. */
export function writePolicies(setting: Setting): void {
  const policy = (name: string, phase: string, parts: string, hooks: string): void => {
    setting.write(
      `${name}.mjs`,
      `import { definePolicy, s } from 'gw/policy';
export default definePolicy({
  summary: 'Measures the cost of a hook',
  phase: '${phase}',
  schema: s.object({}),
  ${parts}
  create: (_settings, host) => ({ ${hooks} }),
});
`,
    );
  };
  const whole = (side: string): string => `body: () => ({ ${side}: { max: 1048576, mandatory: false } }),`;
  policy('read-request', 'transform', whole('request'), 'onRequestBody: () => undefined');
  policy('read-reply', 'transform', whole('reply'), 'onReplyBody: () => undefined');
  policy(
    'stage',
    'transform',
    '',
    'replyStage: (_exchange, _reply, out) => ({ write: (bytes) => out.write(bytes), end: (trailers) => out.end(trailers), abort() {} })',
  );
  policy(
    'call',
    'authorize',
    "calls: () => [{ at: [], service: 'origin' }],",
    "before: async (exchange) => { await host.call('origin', { method: 'GET', path: '/items/1', exchange }); return undefined; }",
  );
  policy(
    'edit',
    'transform',
    '',
    "before(exchange) { exchange.headers.set('x-tenant', 'acme'); return undefined; }, after(_exchange, reply) { reply.headers.set('x-served-by', 'gw'); return undefined; }",
  );
}

const custom = (name: string): Hook['toml'] => `[policy.${name}]\nuse = "./${name}.mjs"\n`;

const HEADERS = `[policy.headers]
use = "headers"
request.set = { x-tenant = "acme" }
reply.set = { x-served-by = "gw" }
`;

export const NOTHING: Hook = { name: 'no policy', toml: '', policies: [] };
export const BUILT_IN: Hook = { name: 'headers (built in)', toml: HEADERS, policies: ['headers'] };
export const CUSTOM: Hook = { name: 'headers (custom code)', toml: custom('edit'), policies: ['edit'] };
export const WHEN: Hook = {
  name: 'headers with a `when` that holds',
  toml: `${HEADERS}when = 'request.method == "GET" && request.path.startsWith("/items")'\n`,
  policies: ['headers'],
};
export const SKIPPED: Hook = {
  name: 'headers with a `when` that does not hold',
  toml: `${HEADERS}when = 'request.method == "PATCH"'\n`,
  policies: ['headers'],
};
export const STAGE: Hook = { name: 'one stage', toml: custom('stage'), policies: ['stage'] };
export const CALL: Hook = { name: 'one call of another service', toml: custom('call'), policies: ['call'] };
export const READ_REPLY: Hook = { name: 'the whole reply body', toml: custom('read-reply'), policies: ['read-reply'] };
export const READ_REQUEST: Hook = {
  name: 'the whole request body',
  toml: custom('read-request'),
  policies: ['read-request'],
};
