/** Compile part of upstream-auth. */
import { declarePolicy, parseCallUrl } from '../compile-kit.js';
import type { PolicyContext, PolicyProblem, RequestFact } from '../contract.js';
import { clientSettings } from '../kits/oauth-client/schema.js';
import { TEMPLATE_CODES } from '../kits/template-text.js';
import type { AwsSource } from './aws/source.js';
import { lintKinds } from './lint.js';
import { PROBLEMS } from './problems.js';
import {
  type KindSettings,
  type OAuthSettings,
  schema,
  type UpstreamAuthConfig,
  type UpstreamAuthSettings,
} from './schema.js';
import { factsOfTemplate, factsOfTemplates, templateParts } from './templates.js';

export default declarePolicy<UpstreamAuthConfig, UpstreamAuthSettings>({
  use: 'upstream-auth',
  summary: 'Authenticates gw itself at services',
  phase: 'transform',
  onService: true,
  stateful: false,
  schema,
  // Tokens belong to what they are fetched with: an edit of the routes keeps them.
  stateKey: (config) => stateOf(config),
  requestFacts: (config) => requestFacts(config),
  traits: (config) => ({
    ownsRequestFields: fieldsOf(config),
    ...callFieldsOf(config.oauth2 ?? config.token_exchange),
  }),
  calls: ({ oauth2, token_exchange }) => [...callsOf(oauth2, 'oauth2'), ...callsOf(token_exchange, 'token_exchange')],
  body: ({ signature, aws, oauth2, token_exchange }) => {
    const signed = aws?.payload === 'signed' ? aws.max_body : signature?.max_body;
    const max = signed ?? oauth2?.max_body ?? token_exchange?.max_body;
    return max === undefined ? undefined : { request: { max, mandatory: false, encoded: true } };
  },
  duty: ({ aws }) => (aws !== undefined && awsSource(aws) !== undefined ? { wait: 5000, required: false } : undefined),
  codes: [
    {
      code: 'upstream-auth/kind',
      severity: 'error',
      summary: 'An upstream-auth policy has no kind of credential, or several',
    },
    {
      code: 'upstream-auth/consumer',
      severity: 'error',
      summary: 'A credential is for a consumer that does not exist',
    },
    {
      code: 'upstream-auth/service',
      severity: 'error',
      summary: 'A credential is for a service that does not exist',
    },
    {
      code: 'upstream-auth/component',
      severity: 'error',
      summary: 'An upstream-auth policy signs a component that requests do not have',
    },
    {
      code: 'upstream-auth/aws',
      severity: 'error',
      summary: 'The AWS credentials of an upstream-auth policy are not complete',
    },
    {
      code: 'upstream-auth/client',
      severity: 'error',
      summary: 'The client of an upstream-auth policy is not complete',
    },
    {
      code: 'upstream-auth/secret-encoding',
      severity: 'error',
      summary: 'An upstream-auth policy has an encoding for a key that is not a shared secret',
    },
    { code: 'upstream-auth/plain-http', severity: 'warning', summary: 'A token is fetched over plain http' },
    ...TEMPLATE_CODES.filter(({ code }) => code === 'template/unknown-variable'),
  ],
  problems: Object.values(PROBLEMS),
  lint: (config, context, report) => lintKinds(config, context, report),
  compile(config, context) {
    const kind = kindOf(config);
    if (kind === undefined) return undefined;
    const header = config.header.toLowerCase();
    return { kind, header, scheme: schemeOf(config, header), services: servicesOf(config, context) };
  },
});

export type Report = (problem: PolicyProblem) => void;

/** Whose credential the target gets: it can answer accordingly. Signatures of gw are the same for all callers. */
function requestFacts({
  fields,
  basic,
  per_consumer,
  token_exchange,
  jwt,
}: UpstreamAuthConfig): readonly RequestFact[] {
  const found: RequestFact[] = [...factsOfTemplates(fields, ['fields'])];
  if (basic !== undefined)
    for (const key of ['username', 'password'] as const) found.push(...factsOfTemplate(basic[key], ['basic', key]));
  if (per_consumer !== undefined)
    found.push({ kind: 'consumer', at: ['per_consumer'], why: 'to choose the credential for the target' });
  if (jwt !== undefined) {
    for (const key of ['issuer', 'subject', 'audience'] as const)
      found.push(...factsOfTemplate(jwt[key], ['jwt', key]));
    found.push(...factsOfTemplates(jwt.claims, ['jwt', 'claims']));
  }
  if (token_exchange === undefined) return found;
  const { subject_token } = token_exchange;
  if (subject_token !== undefined)
    return [...found, ...factsOfTemplate(subject_token, ['token_exchange', 'subject_token'])];
  const why = 'to exchange its token';
  return [...found, { kind: 'field', name: 'authorization', at: ['token_exchange'], why }];
}

const schemeOf = ({ scheme, basic }: UpstreamAuthConfig, header: string): string => {
  if (scheme !== undefined) return scheme;
  if (basic !== undefined) return 'Basic';
  return header === 'authorization' ? 'Bearer' : '';
};

/** Routes may lead to none of the services that name the policy: then policies call them. */
const servicesOf = (config: UpstreamAuthConfig, { routes, services = [] }: PolicyContext): readonly string[] =>
  config.services ?? [...new Set([...routes.flatMap(({ service }) => service ?? []), ...services])].sort();

/** Everything but the routes. */
function stateOf(config: UpstreamAuthConfig) {
  const { services, ...rest } = config;
  return JSON.parse(JSON.stringify(rest)) as never;
}

function fieldsOf(config: UpstreamAuthConfig): readonly string[] {
  if (config.fields !== undefined) return Object.keys(config.fields).map((name) => name.toLowerCase());
  if (config.signature !== undefined) return ['signature', 'signature-input'];
  if (config.aws !== undefined) return ['authorization', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token'];
  return [config.header.toLowerCase()];
}

function kindOf(config: UpstreamAuthConfig): KindSettings | undefined {
  const { fields, basic, per_consumer, oauth2, token_exchange, jwt, aws, signature } = config;
  if (fields !== undefined)
    return {
      kind: 'fields',
      fields: Object.entries(fields).map(([name, value]) => [name.toLowerCase(), templateParts(value)]),
    };
  if (basic !== undefined)
    return { kind: 'basic', username: templateParts(basic.username), password: templateParts(basic.password) };
  if (per_consumer !== undefined) return { kind: 'per-consumer', credentials: Object.entries(per_consumer) };
  if (oauth2 !== undefined) return { kind: 'oauth2', oauth: oauthSettings(oauth2, []) };
  if (token_exchange !== undefined) {
    const { subject_token, subject_token_type, requested_token_type } = token_exchange;
    return {
      kind: 'token-exchange',
      oauth: oauthSettings(token_exchange, [['requested_token_type', requested_token_type]]),
      ...(subject_token === undefined ? {} : { subjectToken: templateParts(subject_token) }),
      subjectType: subject_token_type,
    };
  }
  if (jwt !== undefined) {
    const { issuer, subject, audience, claims } = jwt;
    const named = Object.entries({ ...claims, iss: issuer, sub: subject, aud: audience });
    return {
      kind: 'jwt',
      key: jwt.key,
      ...(jwt.algorithm === undefined ? {} : { algorithm: jwt.algorithm }),
      ...(jwt.key_id === undefined ? {} : { keyId: jwt.key_id }),
      type: jwt.type,
      claims: named.flatMap(([name, value]) => (value === undefined ? [] : [[name, templateParts(value)] as const])),
      lifetime: jwt.lifetime,
    };
  }
  if (aws !== undefined) return awsSettings(aws);
  if (signature === undefined) return undefined;
  const { key, key_id, algorithm, secret_encoding = 'text', components, digest, label, tag, lifetime } = signature;
  return {
    kind: 'signature',
    key,
    keyId: key_id,
    ...(algorithm === undefined ? {} : { algorithm }),
    ...(secret_encoding === 'text' ? {} : { secretEncoding: secret_encoding }),
    components: [...new Set(components.map((name) => (name.startsWith('@') ? name : name.toLowerCase())))],
    digest,
    label,
    ...(tag === undefined ? {} : { tag }),
    ...(lifetime === undefined ? {} : { lifetime }),
  };
}

const callsOf = (oauth: UpstreamAuthConfig['oauth2'], key: string) => {
  if (oauth === undefined) return [];
  const { service, token_url: url } = oauth;
  return service === undefined ? [{ at: [key, 'token_url'], url }] : [{ at: [key, 'service'], service }];
};

/** Fields of the requests for tokens. */
function callFieldsOf(oauth: UpstreamAuthConfig['oauth2']) {
  if (oauth === undefined) return {};
  const basic = clientSettings(oauth)?.method === 'client_secret_basic';
  return { callFields: ['content-type', 'accept', ...(basic ? ['authorization'] : [])] };
}

/** `client_id` is required, so there is a client. */
function oauthSettings(
  config: NonNullable<UpstreamAuthConfig['oauth2']>,
  more: readonly (readonly [name: string, value: string | undefined])[],
): OAuthSettings {
  const { token_url: endpoint, scope, audience, resource, params, timeout } = config;
  const { origin, path } = parseCallUrl(endpoint)!;
  const named = [...Object.entries({ scope, audience, resource }), ...more, ...Object.entries(params)];
  return {
    endpoint,
    service: config.service ?? origin,
    path,
    client: clientSettings(config)!,
    params: named.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
    timeout,
  };
}

type AwsConfig = NonNullable<UpstreamAuthConfig['aws']>;

const awsSource = ({ source, access_key_id }: AwsConfig): AwsSource | undefined =>
  source ?? (access_key_id === undefined ? 'auto' : undefined);

function awsSettings(aws: AwsConfig): KindSettings {
  const { service, region, payload, access_key_id, secret_access_key, session_token } = aws;
  const source = awsSource(aws);
  const keys = {
    accessKeyId: access_key_id ?? '',
    secretAccessKey: secret_access_key ?? '',
    ...(session_token === undefined ? {} : { sessionToken: session_token }),
  };
  return { kind: 'aws', service, region, payload, ...(source === undefined ? { keys } : { source }) };
}
