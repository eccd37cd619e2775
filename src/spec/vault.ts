/** `[vault]`: where the values of `${vault:PATH#KEY}` come from. */
import { type Infer, quoted, s } from '../schema/declare.js';

const url = s.reference('the URL of Vault', (text) => {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  const valid = parsed !== undefined && /^https?:$/.test(parsed.protocol) && parsed.username === '';
  return valid && parsed.search === '' && parsed.hash === ''
    ? undefined
    : `Expected a URL such as \`"https://vault.internal:8200"\`, found ${quoted(text)}.`;
});

const secret = (what: string) =>
  s.reference(
    what,
    () => ({
      message: 'A secret must not be written in the spec.',
      help: 'Write a reference: `"${env:NAME}"` or `"${file:path}"`.',
    }),
    { sensitive: true },
  );

const mount = (what: string, name: string) =>
  s
    .string({ pattern: /^[\w.-]+(\/[\w.-]+)*$/, expected: 'a path without slashes at its ends' })
    .describe(what)
    .default(name);

export const vault = s.object({
  address: url.describe('URL of HashiCorp Vault or OpenBao.', 'https://vault.internal:8200'),
  ca: s
    .string({ nonEmpty: true })
    .describe('PEM file with the authorities that issued its certificate. Default: those of Node.')
    .optional(),
  namespace: s.string({ nonEmpty: true }).describe('Namespace of all requests.').optional(),
  mount: s
    .string({ pattern: /^[\w.-]+(\/[\w.-]+)*$/, expected: 'a path without slashes at its ends' })
    .describe('Mount of the KV engine (version 2) if it has several segments. Default: the first segment of each path.')
    .optional(),
  token: secret('a token').describe('Log in with a token: a reference.', '${env:VAULT_TOKEN}').optional(),
  approle: s
    .object({
      role_id: s.reference('a role id').describe('Id of the role.'),
      secret_id: secret('a secret id').describe('Secret id of the role: a reference.', '${file:/run/secrets/vault}'),
      mount: mount('Mount of the auth method.', 'approle'),
    })
    .describe('Log in as an AppRole.')
    .optional(),
  kubernetes: s
    .object({
      role: s.string({ nonEmpty: true }).describe('Name of the role.'),
      jwt: s
        .string({ nonEmpty: true })
        .describe('File with the token of the service account.')
        .default('/var/run/secrets/kubernetes.io/serviceaccount/token'),
      mount: mount('Mount of the auth method.', 'kubernetes'),
    })
    .describe('Log in as a Kubernetes service account.')
    .optional(),
  refresh: s
    .duration({ min: 1000 })
    .describe('How often the versions of secrets are compared. A new value is used without a change of the spec.')
    .default(60_000),
  timeout: s.duration({ min: 100 }).describe('Time limit of each request.').default(5000),
});

export type VaultConfig = Infer<typeof vault>;

/** The ways to log in, of which a table has exactly one. */
export const VAULT_LOGINS = ['token', 'approle', 'kubernetes'] as const;
