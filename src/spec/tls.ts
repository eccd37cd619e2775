/** `tls` of a listener. */
import { isOfTls13, KNOWN_CIPHERS } from '../bundle/tls.js';
import type { RefString } from '../bundle/types.js';
import { type Problem, quoted, type Schema, s } from '../schema/declare.js';
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
const pems = (): Schema<RefString[]> =>
  s.either<RefString[]>(
    { kinds: ['array'], schema: s.array(s.reference('a path or reference'), { min: 1 }) },
    { kinds: ['string'], schema: s.mapped(s.reference('a path or reference'), (one) => [one]) },
  );

interface ListenerTls {
  readonly min_version: '1.2' | '1.3';
  readonly ciphers: readonly string[] | undefined;
  readonly client_ca: readonly RefString[] | undefined;
  readonly client_certificate: 'optional' | 'required' | undefined;
  readonly client_crl: readonly RefString[] | undefined;
}

function tlsProblem(tls: ListenerTls): Problem | undefined {
  if (tls.client_ca === undefined && (tls.client_certificate !== undefined || tls.client_crl !== undefined)) {
    const key = tls.client_certificate === undefined ? 'client_crl' : 'client_certificate';
    return {
      message: `\`${key}\` has no effect without \`client_ca\`: clients are not asked for a certificate.`,
      help: 'Set `client_ca` to the certificates of the authorities that issue certificates for your clients.',
    };
  }
  if (tls.min_version !== '1.3' || tls.ciphers === undefined || tls.ciphers.some(isOfTls13)) return undefined;
  return {
    message: '`ciphers` lists no cipher of TLS 1.3, but `min_version` requires TLS 1.3: none of them could be used.',
    help: 'Remove `ciphers`, add ciphers of TLS 1.3 (`TLS_AES_128_GCM_SHA256` ...), or lower `min_version`.',
  };
}

export const listenerTls = () =>
  s
    .object({
      cert: s
        .reference('a path or reference')
        .describe('PEM certificate chain: a path, or `${env:NAME}` with the PEM text.'),
      key: s.reference('a path or reference').describe('PEM private key: a path, or `${env:NAME}` with the PEM text.'),
      min_version: s.enum('1.2', '1.3').describe('Lowest accepted TLS version.').default('1.2'),
      ciphers: ciphers()
        .describe(
          'Ciphers in order of preference, by OpenSSL name; only ciphers with forward secrecy. A TLS version without a listed cipher keeps its default. Default: AES-GCM and ChaCha20-Poly1305 with ECDHE.',
          ['ECDHE-ECDSA-AES256-GCM-SHA384', 'TLS_AES_256_GCM_SHA384'],
        )
        .optional(),
      client_ca: pems()
        .describe(
          'Ask clients for a certificate, and accept those that these authorities issued: PEM files with the root certificates, and intermediate ones that clients do not send; or `${env:NAME}` with the PEM text.',
          'clients-ca.pem',
        )
        .optional(),
      client_certificate: s
        .enum('optional', 'required')
        .describe(
          'Whether clients must present a certificate. `optional`: a client without one is accepted, but not one whose certificate is not valid. Default with `client_ca`: `required`.',
        )
        .optional(),
      client_crl: pems()
        .describe(
          'Revocation lists (CRL) of the authorities in `client_ca`: PEM or DER files. Every authority needs a list; an outdated one refuses its certificates.',
          'clients.crl',
        )
        .optional(),
    })
    .check('schema/value', tlsProblem);

function serviceProblem(tls: {
  readonly cert: RefString | undefined;
  readonly key: RefString | undefined;
}): Problem | undefined {
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
    })
    .check('schema/value', serviceProblem);
