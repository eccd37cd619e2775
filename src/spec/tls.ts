/** `tls` of a listener. */
import { isOfTls13, KNOWN_CIPHERS } from '../bundle/tls.js';
import type { RefString } from '../bundle/types.js';
import { type Infer, type Problem, quoted, type Schema, s } from '../schema/declare.js';
import { suggest } from '../schema/suggest.js';

const HOW = 'Use OpenSSL names, such as `ECDHE-RSA-AES256-GCM-SHA384` or `TLS_AES_256_GCM_SHA384`.';

function cipherProblem(name: string): Problem | undefined {
  if (KNOWN_CIPHERS.has(name)) return undefined;
  const near = suggest(name, [...KNOWN_CIPHERS]);
  if (
    /^(AES|CAMELLIA|ARIA|DES|RC4|NULL|ADH|AECDH|EXP|IDEA|SEED|ECDH-|DH-|RSA-|PSK|SRP)|_RSA_WITH_AES/.test(name) &&
    !/_(EC)?DHE_/.test(name)
  )
    return {
      message: `The cipher ${quoted(name)} has no forward secrecy: recorded connections could be decrypted with a stolen key.`,
      help: 'Use ciphers that begin with `ECDHE-`, `DHE-` or `TLS_` (RFC 9325 section 4.1).',
    };
  const help = near === undefined ? HOW : `Did you mean \`${near}\`? ${HOW}`;
  return { message: `Expected a TLS cipher, found ${quoted(name)}.`, help };
}

const namesOf = (text: string): string[] => text.split(':');

function listProblem(text: string): Problem | undefined {
  for (const name of namesOf(text)) {
    const problem = cipherProblem(name);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** A list of names, or one string with `:` between them, as in other programs. */
const ciphers = (): Schema<string[]> =>
  s.either<string[]>(
    {
      kinds: ['array'],
      schema: s.array(s.string({ nonEmpty: true }).check('schema/value', cipherProblem), { min: 1 }),
    },
    { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }).check('schema/value', listProblem), namesOf) },
  );

/** One file or reference, or several. */
export const pems = (): Schema<RefString[]> =>
  s.either<RefString[]>(
    { kinds: ['array'], schema: s.array(s.reference('a path or reference'), { min: 1 }) },
    { kinds: ['string'], schema: s.mapped(s.reference('a path or reference'), (one) => [one]) },
  );

interface PolicyConfig {
  readonly cert: RefString | undefined;
  readonly key: RefString | undefined;
  readonly ciphers: readonly string[] | undefined;
  readonly client_ca: readonly RefString[] | undefined;
  readonly client_crl: readonly RefString[] | undefined;
  readonly forward_client_cert: boolean | undefined;
}

interface HostConfig extends PolicyConfig {
  readonly names: readonly string[] | undefined;
  readonly min_version: '1.2' | '1.3' | undefined;
  readonly client_certificate: 'optional' | 'required' | 'none' | undefined;
}

interface ListenerConfig extends PolicyConfig {
  readonly acme: boolean;
  readonly min_version: '1.2' | '1.3';
  readonly client_certificate: 'optional' | 'required' | undefined;
  readonly hosts: readonly HostConfig[];
}

const pairProblem = ({ cert, key }: PolicyConfig): Problem | undefined => {
  if ((cert === undefined) === (key === undefined)) return undefined;
  const [has, lacks] = cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
  return {
    message: `\`${has}\` is set without \`${lacks}\`: a certificate needs its private key.`,
    help: `Set \`${lacks}\`, or remove \`${has}\`.`,
  };
};

function clientProblem(tls: PolicyConfig & { readonly client_certificate: string | undefined }): Problem | undefined {
  if (tls.client_ca !== undefined) return undefined;
  const key =
    tls.client_certificate !== undefined
      ? 'client_certificate'
      : tls.client_crl !== undefined
        ? 'client_crl'
        : tls.forward_client_cert === true
          ? 'forward_client_cert'
          : undefined;
  return key === undefined
    ? undefined
    : {
        message: `\`${key}\` has no effect without \`client_ca\`: clients are not asked for a certificate.`,
        help: 'Set `client_ca` to the certificates of the authorities that issue certificates for your clients.',
      };
}

function versionProblem({
  min_version,
  ciphers,
}: Pick<ListenerConfig, 'min_version' | 'ciphers'>): Problem | undefined {
  if (min_version !== '1.3' || ciphers === undefined || ciphers.some(isOfTls13)) return undefined;
  return {
    message: '`ciphers` lists no cipher of TLS 1.3, but `min_version` requires TLS 1.3: none of them could be used.',
    help: 'Remove `ciphers`, add ciphers of TLS 1.3 (`TLS_AES_128_GCM_SHA256` ...), or lower `min_version`.',
  };
}

function tlsProblem(tls: ListenerConfig): Problem | undefined {
  if (tls.acme && (tls.cert !== undefined || tls.key !== undefined))
    return {
      message: '`acme` is set beside `cert` and `key`: the certificates of the listener have two sources.',
      help: 'Remove `cert` and `key`, or `acme`. Entries of `hosts` may have certificates of their own.',
    };
  if (!tls.acme && tls.cert === undefined && tls.key === undefined && tls.hosts.length === 0)
    return {
      message: 'TLS needs a certificate: `cert` and `key` are missing.',
      help: 'Set `cert` and `key` to PEM files, or write `tls = "acme"`.',
    };
  const own = pairProblem(tls) ?? clientProblem(tls) ?? versionProblem(tls);
  if (own !== undefined) return own;
  const taken = new Set<string>();
  for (const host of tls.hosts) {
    const problem = hostProblem(host, tls, taken);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function hostProblem(host: HostConfig, tls: ListenerConfig, taken: Set<string>): Problem | undefined {
  if (host.cert === undefined && host.names === undefined)
    return {
      message: 'An entry of `hosts` has neither `names` nor a certificate: it is for no name.',
      help: 'Set `names`, or `cert` and `key`: the names are then those of the certificate.',
    };
  if (host.cert === undefined && tls.cert === undefined && !tls.acme)
    return {
      message: `The host ${quoted(host.names?.[0] ?? '')} has no certificate, and the listener has none for it.`,
      help: 'Set `cert` and `key`, in the entry of `hosts` or in `tls`.',
    };
  for (const name of host.names ?? []) {
    if (taken.has(name))
      return {
        message: `Two entries of \`hosts\` have the name ${quoted(name)}: only one policy can be for it.`,
        help: 'Remove the name from one of them.',
      };
    taken.add(name);
  }
  const inherited = {
    ...host,
    client_ca: host.client_ca ?? tls.client_ca,
    client_certificate: host.client_certificate === 'none' ? undefined : host.client_certificate,
    min_version: host.min_version ?? tls.min_version,
    ciphers: host.ciphers ?? tls.ciphers,
  };
  return pairProblem(host) ?? clientProblem(inherited) ?? versionProblem(inherited);
}

const HOST_NAME =
  /^(\*\.)?(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

const hostName = (): Schema<string> =>
  s.mapped(
    s.string({ pattern: HOST_NAME, expected: 'a host name such as `"api.example.com"` or `"*.example.com"`' }),
    (name) => name.toLowerCase(),
  );

const OF_LISTENER = ' Default: that of the listener.';

/** Keys of a certificate and a policy. `otherwise`: the end of the descriptions of what an entry of `hosts` takes from the listener. */
const policyKeys = (otherwise: '' | typeof OF_LISTENER) => ({
  cert: s
    .reference('a path or reference')
    .describe(`PEM certificate chain: a path, or \`\${env:NAME}\` with the PEM text.${otherwise}`)
    .optional(),
  key: s
    .reference('a path or reference')
    .describe(`PEM private key: a path, or \`\${env:NAME}\` with the PEM text.${otherwise}`)
    .optional(),
  ciphers: ciphers()
    .describe(
      otherwise === ''
        ? 'Ciphers in order of preference, by OpenSSL name; only ciphers with forward secrecy. A TLS version without a listed cipher keeps its default. Default: AES-GCM and ChaCha20-Poly1305 with ECDHE.'
        : `Ciphers in order of preference.${otherwise}`,
      ['ECDHE-ECDSA-AES256-GCM-SHA384', 'TLS_AES_256_GCM_SHA384'],
    )
    .optional(),
  client_ca: pems()
    .describe(
      otherwise === ''
        ? 'Ask clients for a certificate, and accept those that these authorities issued: PEM files with the root certificates, and intermediate ones that clients do not send; or `${env:NAME}` with the PEM text.'
        : `Authorities of client certificates.${otherwise}`,
      'clients-ca.pem',
    )
    .optional(),
  client_crl: pems()
    .describe(
      otherwise === ''
        ? 'Revocation lists (CRL) of the authorities in `client_ca`: PEM or DER files. Every authority needs a list; an outdated one refuses its certificates.'
        : 'Revocation lists of the authorities in `client_ca`. Default: those of the listener, unless `client_ca` is set here.',
      'clients.crl',
    )
    .optional(),
  forward_client_cert: s
    .boolean()
    .describe(
      otherwise === ''
        ? 'Send the certificate of the client to targets, as `Client-Cert` and `Client-Cert-Chain` (RFC 9440). From clients, these fields are always removed. Default: `false`.'
        : `Send the certificate of the client to targets.${otherwise}`,
    )
    .optional(),
});

const tlsHost = () =>
  s.object({
    names: s
      .array(hostName(), { min: 1 })
      .describe(
        'Server names (SNI) of the entry; `*.example.com` matches one label more. An exact name wins over a wildcard. Default: the names of the certificate.',
        ['admin.example.com', '*.internal.example.com'],
      )
      .optional(),
    ...policyKeys(OF_LISTENER),
    min_version: s.enum('1.2', '1.3').describe(`Lowest accepted TLS version.${OF_LISTENER}`).optional(),
    client_certificate: s
      .enum('optional', 'required', 'none')
      .describe(`Whether clients must present a certificate; \`none\`: they are not asked for one.${OF_LISTENER}`)
      .optional(),
  });

const tlsTable = () =>
  s
    .object({
      acme: s
        .boolean()
        .describe('Get the certificates by ACME, as `tls = "acme"` does, with other settings beside it.')
        .default(false),
      ...policyKeys(''),
      min_version: s.enum('1.2', '1.3').describe('Lowest accepted TLS version.').default('1.2'),
      client_certificate: s
        .enum('optional', 'required')
        .describe(
          'Whether clients must present a certificate. `optional`: a client without one is accepted, but not one whose certificate is not valid. Default with `client_ca`: `required`.',
        )
        .optional(),
      hosts: s
        .array(tlsHost())
        .describe(
          'Certificates and policies for certain server names (SNI). All other clients get `cert`; without `cert` they are refused.',
        )
        .default([]),
    })
    .check('schema/value', tlsProblem);

type ListenerTlsConfig = Infer<ReturnType<typeof tlsTable>>;

const BY_ACME: ListenerTlsConfig = {
  acme: true,
  cert: undefined,
  key: undefined,
  ciphers: undefined,
  client_ca: undefined,
  client_crl: undefined,
  forward_client_cert: undefined,
  min_version: '1.2',
  client_certificate: undefined,
  hosts: [],
};

/** A table, or `"acme"`. */
export const listenerTls = (): Schema<ListenerTlsConfig> =>
  s.either<ListenerTlsConfig>(
    { kinds: ['table'], schema: tlsTable() },
    { kinds: ['string'], schema: s.mapped(s.enum('acme'), () => BY_ACME) },
  );

function serviceProblem(tls: {
  readonly cert: RefString | undefined;
  readonly key: RefString | undefined;
  readonly ca: readonly RefString[] | undefined;
  readonly verify: boolean;
}): Problem | undefined {
  if (tls.ca !== undefined && !tls.verify)
    return {
      message: '`ca` has no effect with `verify = false`: certificates of targets are not verified.',
      help: 'Remove `verify`, or `ca`.',
    };
  if ((tls.cert === undefined) === (tls.key === undefined)) return undefined;
  const [has, lacks] = tls.cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
  return {
    message: `\`${has}\` is set without \`${lacks}\`: a client certificate needs both.`,
    help: `Set \`${lacks}\`, or remove \`${has}\`.`,
  };
}

export const serviceTls = () =>
  s
    .object({
      cert: s
        .reference('a path or reference')
        .describe(
          'Certificate that gw presents to targets, with its chain: a PEM file, or `${env:NAME}` with the PEM text.',
        )
        .optional(),
      key: s.reference('a path or reference').describe('Private key of `cert`, in the same forms.').optional(),
      ca: pems()
        .describe('Authorities that targets are verified against, instead of the public ones: PEM files or references.')
        .optional(),
      server_name: s
        .string({
          pattern:
            /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/,
          expected: 'a host name such as `"orders.internal"`',
        })
        .describe(
          'Name that gw asks for (SNI) and that the certificate of a target must have. Default: the host of its URL.',
        )
        .optional(),
      min_version: s.enum('1.2', '1.3').describe('Lowest accepted TLS version.').default('1.2'),
      verify: s
        .boolean()
        .describe(
          'Whether the certificates of targets are verified. `false`: any program on the way can read and change requests.',
        )
        .default(true),
    })
    .check('schema/value', serviceProblem);
