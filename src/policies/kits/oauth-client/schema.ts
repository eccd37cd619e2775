/** Keys of a config with which a policy authenticates at an authorization server. For compile parts. */
import { s, secretReference } from '../../compile-kit.js';
import type { PolicyProblem } from '../../contract.js';
import { ALGORITHMS } from '../jose/keys.js';
import { CLIENT_METHODS, type ClientMethod, type ClientSettings } from './client.js';

/** Parts of an s.object(). */
export const clientFields = () => ({
  client_id: s.reference('a client id').describe('Client id at the authorization server.', 'gateway').optional(),
  client_secret: secretReference().describe('Client secret: a reference.', '${env:CLIENT_SECRET}').optional(),
  client_key: secretReference()
    .describe('Private key for `private_key_jwt`, PEM or JWK: a reference.', '${file:client-key.pem}')
    .optional(),
  client_auth: s
    .enum(...CLIENT_METHODS)
    .describe(
      'How gw authenticates at the authorization server. Default: `private_key_jwt` with `client_key`, `client_secret_basic` with `client_secret`, else `none`.',
    )
    .optional(),
  client_algorithm: s
    .enum(...ALGORITHMS.filter((alg) => !alg.startsWith('HS')))
    .describe('Algorithm of `client_key`. Default: the one that fits the key.')
    .optional(),
  client_key_id: s.string({ nonEmpty: true }).describe('`kid` in the assertions of `private_key_jwt`.').optional(),
  client_audience: s
    .string({ nonEmpty: true })
    .describe('`aud` in the assertions of `private_key_jwt`. Default: the URL of the endpoint.')
    .optional(),
});

type Secret = string | { readonly $ref: string };

export interface ClientConfig {
  readonly client_id?: Secret | undefined;
  readonly client_secret?: Secret | undefined;
  readonly client_key?: Secret | undefined;
  readonly client_auth?: ClientMethod | undefined;
  readonly client_algorithm?: ClientSettings['algorithm'] | undefined;
  readonly client_key_id?: string | undefined;
  readonly client_audience?: string | undefined;
}

const methodOf = ({ client_auth, client_secret, client_key }: ClientConfig): ClientMethod => {
  if (client_auth !== undefined) return client_auth;
  if (client_key !== undefined) return 'private_key_jwt';
  return client_secret === undefined ? 'none' : 'client_secret_basic';
};

/** The settings; undefined for a config without a client. */
export function clientSettings(config: ClientConfig): ClientSettings | undefined {
  const { client_id: id, client_secret, client_key, client_algorithm, client_key_id, client_audience } = config;
  if (id === undefined) return undefined;
  const method = methodOf(config);
  return {
    method,
    id,
    ...(method.startsWith('client_secret') && client_secret !== undefined ? { secret: client_secret } : {}),
    ...(method === 'private_key_jwt' && client_key !== undefined ? { key: client_key } : {}),
    ...(client_algorithm === undefined ? {} : { algorithm: client_algorithm }),
    ...(client_key_id === undefined ? {} : { keyId: client_key_id }),
    ...(client_audience === undefined ? {} : { audience: client_audience }),
  };
}

/**
 * What is missing or contradicts, under the code of the policy. `at`: path of the table with these keys. `noCertificate`: what to do
 * about requests that have no client certificate; undefined if they can have one.
 */
export function clientProblems(
  config: ClientConfig,
  code: string,
  noCertificate: string | undefined,
  at: readonly (string | number)[] = [],
): readonly PolicyProblem[] {
  const problem = (key: string, message: string, help: string): PolicyProblem => ({
    code,
    severity: 'error',
    at: config[key as keyof ClientConfig] === undefined ? [...at] : [...at, key],
    message,
    help,
  });
  const method = methodOf(config);
  const needs = method.startsWith('client_secret') ? 'client_secret' : 'client_key';
  const keyed = method.startsWith('client_secret') || method === 'private_key_jwt';
  if (config.client_id === undefined)
    return keyed || method === 'tls_client_auth'
      ? [problem('client_auth', 'The client has no id: `client_id` is missing.', 'Add `client_id`.')]
      : [];
  if (method === 'tls_client_auth' && noCertificate !== undefined)
    return [
      problem(
        'client_auth',
        '`tls_client_auth` needs a client certificate, but requests to this endpoint have none.',
        noCertificate,
      ),
    ];
  if (keyed && config[needs] === undefined)
    return [
      problem('client_auth', `\`${method}\` needs \`${needs}\`.`, `Add \`${needs}\`, or change \`client_auth\`.`),
    ];
  const unused = (['client_secret', 'client_key'] as const).find(
    (key) => config[key] !== undefined && !(keyed && key === needs),
  );
  if (unused === undefined) return [];
  return [
    problem(unused, `\`${unused}\` is not used by \`${method}\`.`, `Remove \`${unused}\`, or change \`client_auth\`.`),
  ];
}
