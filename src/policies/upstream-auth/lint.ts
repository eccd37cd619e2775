/** Checks of the config. */
import { isPlainHttp } from '../compile-kit.js';
import type { ConfigPath, PolicyContext, PolicyProblem } from '../contract.js';
import { readComponent } from '../kits/http-signature/index.js';
import { clientProblems } from '../kits/oauth-client/schema.js';
import { KINDS, type UpstreamAuthConfig } from './schema.js';
import { lintTemplate, type TemplateConfig } from './templates.js';

type Report = (problem: PolicyProblem) => void;

export function lintKinds(config: UpstreamAuthConfig, context: PolicyContext, report: Report): void {
  const given = KINDS.filter((kind) => config[kind] !== undefined);
  if (given.length !== 1) {
    const names = KINDS.map((kind) => `\`${kind}\``).join(', ');
    report({
      code: 'upstream-auth/kind',
      severity: 'error',
      at: given.length === 0 ? [] : [given[1]!],
      message:
        given.length === 0
          ? 'This policy does not say which credential it sends.'
          : `This policy has several kinds of credentials: ${given.map((kind) => `\`${kind}\``).join(', ')}.`,
      help: given.length === 0 ? `Set one of ${names}.` : 'Keep one of them; a service can have several policies.',
    });
  }
  if (config.fields !== undefined && Object.keys(config.fields).length === 0)
    report({
      code: 'upstream-auth/kind',
      severity: 'error',
      at: ['fields'],
      message: 'This policy sends no credential: `fields` is empty.',
      help: 'Add a field, such as `x-api-key = "${env:ORDERS_KEY}"`.',
    });
  lintTemplates(config, context, report);
  lintConsumers(config, context, report);
  lintServices(config, context, report);
  lintComponents(config, report);
  lintSecretEncoding(config, report);
  lintAws(config, report);
  for (const key of ['oauth2', 'token_exchange'] as const) lintClient(config[key], key, report);
}

function lintAws({ aws }: UpstreamAuthConfig, report: Report): void {
  if (aws === undefined) return;
  const { source, access_key_id, secret_access_key, session_token } = aws;
  const complete = (access_key_id === undefined) === (secret_access_key === undefined);
  const unused = session_token !== undefined && access_key_id === undefined;
  if (!complete || unused)
    report({
      code: 'upstream-auth/aws',
      severity: 'error',
      at: ['aws'],
      message: 'The AWS credentials are not complete: an access key id and its secret belong together.',
      help: 'Set `access_key_id` and `secret_access_key`, or `source`.',
    });
  else if (access_key_id !== undefined && source !== undefined)
    report({
      code: 'upstream-auth/aws',
      severity: 'error',
      at: ['aws', 'source'],
      message: 'The policy has an access key and a source of credentials, so it is not clear which one counts.',
      help: 'Keep one of them.',
    });
}

function lintClient(oauth: UpstreamAuthConfig['oauth2'], key: string, report: Report): void {
  if (oauth === undefined) return;
  const noCertificate =
    oauth.service === undefined ? 'Set `service` to one whose `tls` has `cert` and `key`.' : undefined;
  for (const problem of clientProblems(oauth, 'upstream-auth/client', noCertificate, [key])) report(problem);
  if (oauth.client_id === undefined)
    report({
      code: 'upstream-auth/client',
      severity: 'error',
      at: [key],
      message: 'gw has no client id at the authorization server: `client_id` is missing.',
      help: 'Add `client_id`, and `client_secret` or `client_key`.',
    });
  if (!isPlainHttp(oauth.token_url)) return;
  report({
    code: 'upstream-auth/plain-http',
    severity: 'warning',
    at: [key, 'token_url'],
    message: 'The secret of the client and the tokens are sent in plain text.',
    help: 'Use an `https` URL.',
  });
}

function lintTemplates(
  { fields = {}, basic, jwt, token_exchange }: UpstreamAuthConfig,
  context: PolicyContext,
  report: Report,
): void {
  const template = (value: TemplateConfig | undefined, at: ConfigPath): void => {
    if (value !== undefined) lintTemplate(value, at, context, report);
  };
  for (const [name, value] of Object.entries(fields)) template(value, ['fields', name]);
  if (basic !== undefined) {
    template(basic.username, ['basic', 'username']);
    template(basic.password, ['basic', 'password']);
  }
  template(token_exchange?.subject_token, ['token_exchange', 'subject_token']);
  if (jwt === undefined) return;
  for (const key of ['issuer', 'subject', 'audience'] as const) template(jwt[key], ['jwt', key]);
  for (const [name, value] of Object.entries(jwt.claims)) template(value, ['jwt', 'claims', name]);
}

function lintConsumers({ per_consumer = {} }: UpstreamAuthConfig, context: PolicyContext, report: Report): void {
  if (context.moreConsumers === true) return;
  for (const name of Object.keys(per_consumer)) {
    if (name === '*' || context.consumers.some((consumer) => consumer.name === name)) continue;
    report({
      code: 'upstream-auth/consumer',
      severity: 'error',
      at: ['per_consumer', name],
      message: `No consumer is named \`${name}\`, so this credential is never used.`,
      help: `Declare \`[consumer.${name}]\`, or remove the entry.`,
    });
  }
}

/** A misspelt name would send the requests of a service without its credential. */
function lintServices({ services = [] }: UpstreamAuthConfig, { serviceNames }: PolicyContext, report: Report): void {
  for (const [index, name] of services.entries()) {
    if (serviceNames?.includes(name) !== false) continue;
    report({
      code: 'upstream-auth/service',
      severity: 'error',
      at: ['services', index],
      message: `No service is named \`${name}\`, so no request gets the credential for it.`,
      help: 'Name a service of the spec, or leave out `services`.',
    });
  }
}

function lintComponents({ signature }: UpstreamAuthConfig, report: Report): void {
  for (const [index, name] of (signature?.components ?? []).entries()) {
    const read = readComponent([name.startsWith('@') ? name : name.toLowerCase(), new Map()]);
    if (typeof read !== 'string' && name !== '@status') continue;
    report({
      code: 'upstream-auth/component',
      severity: 'error',
      at: ['signature', 'components', index],
      message: `\`${name}\` cannot be signed: it is neither a field nor a component of requests.`,
      help: 'Name a field, `@method`, `@target-uri`, `@authority`, `@scheme`, `@request-target`, `@path` or `@query`.',
    });
  }
}

function lintSecretEncoding({ signature }: UpstreamAuthConfig, report: Report): void {
  if (signature?.secret_encoding === undefined || signature.algorithm === 'hmac-sha256') return;
  report({
    code: 'upstream-auth/secret-encoding',
    severity: 'error',
    at: ['signature', 'secret_encoding'],
    message:
      '`secret_encoding` says how a shared secret is written, but without `hmac-sha256` the key is a private key.',
    help: 'Remove `secret_encoding`, or set `algorithm = "hmac-sha256"`.',
  });
}
