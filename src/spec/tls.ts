/** `tls` of a listener. */
import { isOfTls13, KNOWN_CIPHERS } from '../bundle/tls.js';
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

function tlsProblem(tls: {
  readonly min_version: '1.2' | '1.3';
  readonly ciphers: readonly string[] | undefined;
}): Problem | undefined {
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
    })
    .check('schema/value', tlsProblem);
