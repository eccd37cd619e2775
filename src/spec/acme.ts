/** `[acme]`: where listeners with `tls = "acme"` get their certificates. */
import { isIP } from 'node:net';
import { ACME_CHALLENGES, ACME_KEY_TYPES } from '../bundle/acme-entry.js';
import { type Infer, type Problem, quoted, type Schema, s } from '../schema/declare.js';
import { pems } from './tls.js';

/** Directories of Let's Encrypt. Certificates of staging are not trusted by clients, and its limits are far higher. */
export const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';
export const LETS_ENCRYPT_STAGING = 'https://acme-staging-v02.api.letsencrypt.org/directory';

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** RFC 8555 section 6.1 requires https; a test server on this machine may do without. */
function directoryProblem(text: string): Problem | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.hash === '';
  if (!isWeb)
    return {
      message: `Expected the URL of an ACME directory such as \`"${LETS_ENCRYPT}"\`, found ${quoted(text)}.`,
      help: 'The authority documents it.',
    };
  if (url.protocol === 'https:' || LOOPBACK.test(url.hostname)) return undefined;
  return {
    message: `The directory ${quoted(text)} is asked over plain HTTP: others could order certificates in its place.`,
    help: 'Use its https URL; `ca` names the authorities of a private one.',
  };
}

const directory = () => s.string({ nonEmpty: true }).check('schema/value', directoryProblem);

const HOST = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/** Whether certificates for a name can be ordered: a DNS name with a dot, no wildcard, no address. */
export const isOrderable = (host: string): boolean => HOST.test(host) && isIP(host) === 0;

function hostProblem(host: string): Problem | undefined {
  if (isOrderable(host)) return undefined;
  const message = `No certificate can be ordered for ${quoted(host)}: expected a host name such as \`"shop.example.com"\`.`;
  if (host.startsWith('*'))
    return {
      message,
      help: 'A wildcard needs a proof by DNS, which gw does not do: list the names, or use `cert` and `key`.',
    };
  return { message, help: 'Write a DNS name with a dot, without port.' };
}

const host = (): Schema<string> =>
  s.mapped(s.string({ nonEmpty: true }).check('schema/value', hostProblem), (name) => name.toLowerCase());

export const acme = s.object({
  accept_terms: s
    .boolean()
    .describe(
      'You agree to the terms of service of the authority. Certificates are ordered only if it is `true`.',
      true,
    )
    .default(false),
  email: s
    .string({ pattern: /^[^\s@,?]+@[^\s@,?]+$/, expected: 'an e-mail address such as `"ops@example.com"`' })
    .describe('Where the authority may write about the account.', 'ops@example.com')
    .optional(),
  directory: directory().describe('URL of the directory of the authority (RFC 8555).').default(LETS_ENCRYPT),
  staging: directory()
    .describe(
      "The directory that `gw serve --dev` uses instead. Default for Let's Encrypt: its staging directory; for others: `directory`.",
    )
    .optional(),
  hosts: s
    .array(host(), { min: 1 })
    .describe(
      'Names that certificates are ordered for; no others are. Default: the exact hosts of the routes that listeners with `tls = "acme"` serve.',
      ['shop.example.com'],
    )
    .optional(),
  key_type: s
    .enum(...ACME_KEY_TYPES)
    .describe('Kind of the private keys. Each certificate gets a new one.')
    .default('ecdsa-p256'),
  challenges: s
    .array(s.enum(...ACME_CHALLENGES), { min: 1 })
    .describe(
      'How names are proved, in order of preference: `tls-alpn-01` on the listener itself (port 443), `http-01` on listeners without TLS (port 80). After a failure the next one is tried. Default: those that the listeners allow.',
      ['http-01'],
    )
    .optional(),
  renew_before: s
    .duration({ min: 60_000 })
    .describe(
      'How long before its end a certificate is renewed at the latest. Default: when a third of its lifetime remains, or as the authority suggests (RFC 9773).',
      '10d',
    )
    .optional(),
  ca: pems()
    .describe('Authorities that the directory itself is verified against, for a private one: PEM files or references.')
    .optional(),
  external_account: s
    .object({
      id: s.reference('the id of an account').describe('Id of the account (`kid`).'),
      key: s
        .reference(
          'a key',
          () => ({
            message: 'A secret must not be written in the spec.',
            help: 'Write a reference: `"${env:NAME}"` or `"${file:path}"`.',
          }),
          { sensitive: true },
        )
        .describe('Its HMAC key as base64url: a reference.', '${env:ACME_HMAC_KEY}'),
    })
    .describe('An account at the authority that certificates are ordered for (external account binding).')
    .optional(),
});

export type AcmeConfig = Infer<typeof acme>;
