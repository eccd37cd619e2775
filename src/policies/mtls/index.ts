/** Compile part of mtls. */
import { callerFacts, declarePolicy } from '../compile-kit.js';
import type { PolicyContext, PolicyProblem } from '../contract.js';
import { ClientTrust, DerError, DistinguishedName } from '../kits/certificates.js';
import { CLIENT_CERT, CLIENT_CERT_CHAIN } from './fields.js';
import { PROBLEMS } from './problems.js';
import { type MtlsConfig, type MtlsSettings, schema } from './schema.js';

type Report = (problem: PolicyProblem) => void;

export default declarePolicy<MtlsConfig, MtlsSettings>({
  use: 'mtls',
  summary: 'Authenticates callers by client certificate',
  phase: 'authenticate',
  authenticator: true,
  stateful: false,
  schema,
  requestFacts: ({ forward: { chain, client_cert, fields } }) => [
    ...(client_cert ? callerFacts([CLIENT_CERT], ['forward', 'client_cert']) : []),
    ...(chain ? callerFacts([CLIENT_CERT_CHAIN], ['forward', 'chain']) : []),
    ...callerFacts(Object.keys(fields), ['forward', 'fields']),
  ],
  traits: ({ optional, forward }) => ({
    authenticates: !optional,
    // A certificate has no scopes.
    grants: [],
    claims: ['subject', 'issuer', 'serial', 'fingerprint', 'common_names', 'dns', 'uri', 'email', 'ip'],
    ownsRequestFields: [...new Set([CLIENT_CERT, CLIENT_CERT_CHAIN, ...lowerKeys(forward.fields)])],
  }),
  problems: Object.values(PROBLEMS),
  codes: [
    {
      code: 'mtls/no-client-ca',
      severity: 'warning',
      summary: 'No listener of a route with mtls asks for certificates',
    },
    { code: 'mtls/no-proxies', severity: 'warning', summary: 'Client-Cert is read, but no listener trusts a proxy' },
    { code: 'mtls/no-certificates', severity: 'warning', summary: 'No consumer has a certificate that mtls looks for' },
    { code: 'mtls/names', severity: 'error', summary: 'The names of an mtls policy cannot be used' },
    {
      code: 'mtls/unknown-consumer',
      severity: 'warning',
      summary: 'An mtls policy names a consumer that does not exist',
    },
    {
      code: 'mtls/ca',
      severity: 'error',
      summary: 'The authorities or revocation lists of an mtls policy cannot be used',
    },
  ],
  lint(config, context, report) {
    lintListeners(config, context, report);
    lintConsumers(config, context, report);
    lintFiles(config, context, report);
  },
  compile(config, context) {
    const { from, consumer, names, issuers, optional, ca, crl, forward, realm } = config;
    return {
      from,
      consumer,
      ...(names === undefined ? {} : { names: namesOf(consumer, names) }),
      ...(issuers === undefined ? {} : { issuers: issuers.map(normal) }),
      optional,
      ...(ca === undefined ? {} : { ca: context.readFile(ca).text ?? '' }),
      ...(crl === undefined ? {} : { crl: context.readFile(crl).text ?? '' }),
      clientCert: forward.client_cert,
      chain: forward.chain,
      fields: Object.fromEntries(Object.entries(forward.fields).map(([name, fact]) => [name.toLowerCase(), fact])),
      realm,
    };
  },
});

const lowerKeys = (fields: { readonly [name: string]: unknown }): string[] =>
  Object.keys(fields).map((name) => name.toLowerCase());

const normal = (name: string): string => DistinguishedName.parse(name)?.text ?? name;

const namesOf = (by: MtlsConfig['consumer'], names: { readonly [name: string]: string }): { [name: string]: string } =>
  Object.fromEntries(Object.entries(names).map(([name, to]) => [by === 'subject' ? normal(name) : name, to]));

function lintListeners({ from, ca, crl }: MtlsConfig, { routes }: PolicyContext, report: Report): void {
  const listeners = routes.flatMap((route) => route.listeners ?? []);
  if (listeners.length > 0 && from !== 'client-cert' && !listeners.some((one) => one.asksForCertificates))
    report({
      code: 'mtls/no-client-ca',
      severity: 'warning',
      at: [],
      message: 'No listener of its routes asks clients for a certificate, so no connection has one.',
      help: 'Set `client_ca` in the `tls` of the listener.',
    });
  if (listeners.length > 0 && from !== 'connection' && !listeners.some(({ hasProxies }) => hasProxies))
    report({
      code: 'mtls/no-proxies',
      severity: 'warning',
      at: ['from'],
      message: '`Client-Cert` counts only from trusted proxies, but no listener of its routes has any.',
      help: 'Set `trusted_proxies` in the listener to the addresses of the proxies.',
    });
  const ignored =
    from === 'connection' ? (ca === undefined ? (crl === undefined ? undefined : 'crl') : 'ca') : undefined;
  if (ignored !== undefined)
    report({
      code: 'mtls/ca',
      severity: 'error',
      at: [ignored],
      message: `\`${ignored}\` is for \`Client-Cert\` fields, but this policy reads the certificate of the connection.`,
      help: 'Use `client_ca` and `client_crl` in the `tls` of the listener, or set `from = "client-cert"`.',
    });
}

function lintConsumers({ consumer, names }: MtlsConfig, context: PolicyContext, report: Report): void {
  const { consumers, routes } = context;
  if (
    consumer === 'fingerprint' &&
    routes.length > 0 &&
    !consumers.some((one) => one.credentials.includes('certificate'))
  )
    report({
      code: 'mtls/no-certificates',
      severity: 'warning',
      at: [],
      message: 'This policy finds consumers by the fingerprint of their certificate, but no consumer has one.',
      help: 'Add `[[consumer.NAME.credentials]]` with `certificate = "sha256:..."` (`openssl x509 -noout -fingerprint -sha256`), or set `consumer` to a name in the certificate.',
    });
  if (names === undefined) return;
  if (consumer === 'fingerprint' || consumer === 'none')
    report({
      code: 'mtls/names',
      severity: 'error',
      at: ['names'],
      message: `\`names\` maps names of certificates to consumers, but \`consumer = "${consumer}"\` looks at no name.`,
      help: 'Set `consumer` to the kind of the names, such as `"san.uri"`, or remove `names`.',
    });
  for (const [name, to] of Object.entries(names)) {
    if (consumer === 'subject' && DistinguishedName.parse(name) === undefined)
      report({
        code: 'mtls/names',
        severity: 'error',
        at: ['names', name],
        message: `\`${name}\` is not a distinguished name.`,
        help: 'Write it as RFC 4514 says, the most specific part first: `openssl x509 -noout -subject -nameopt RFC2253`.',
      });
    if (!consumers.some((one) => one.name === to))
      report({
        code: 'mtls/unknown-consumer',
        severity: 'warning',
        at: ['names', name],
        message: `The consumer \`${to}\` does not exist, so certificates with this name get 401.`,
        help: `Add \`[consumer.${to}]\`, or correct the name.`,
      });
  }
}

function lintFiles({ from, ca, crl }: MtlsConfig, context: PolicyContext, report: Report): void {
  if (from === 'connection') return;
  const bad = (at: 'ca' | 'crl', message: string, help: string): void =>
    report({ code: 'mtls/ca', severity: 'error', at: [at], message, help });
  if (ca === undefined) {
    if (crl !== undefined) bad('crl', '`crl` has no effect without `ca`.', 'Set `ca` too, or remove `crl`.');
    return;
  }
  const authorities = context.readFile(ca);
  if (authorities.text === undefined) {
    bad('ca', `The file \`${ca}\` cannot be read: ${authorities.cause}.`, 'Check the path and its permissions.');
    return;
  }
  const lists = crl === undefined ? undefined : context.readFile(crl);
  if (lists !== undefined && lists.text === undefined) {
    bad('crl', `The file \`${crl}\` cannot be read: ${lists.cause}.`, 'Check the path and its permissions.');
    return;
  }
  try {
    const trust = ClientTrust.read(authorities.text, lists?.text);
    const lost = trust.withoutRoot[0];
    const pem =
      'Use a file in PEM form with the root certificates and, if clients do not send them, intermediate ones.';
    if (trust.authorities.length === 0) bad('ca', `The file \`${ca}\` contains no certificate.`, pem);
    else if (lost !== undefined)
      bad('ca', `The file \`${ca}\` contains ${lost.subjectName.text}, but not the root above it.`, pem);
    const without = trust.withoutList[0];
    if (without !== undefined)
      bad(
        'crl',
        `The file \`${crl}\` contains no list that ${without.subjectName.text} has signed.`,
        'Add a complete list (PEM) of each authority in `ca`: without it, gw refuses all its certificates.',
      );
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    const at = error.message.startsWith('revocation list') ? 'crl' : 'ca';
    bad(at, `The file \`${at === 'ca' ? ca : crl}\` cannot be used: ${error.message}.`, 'Create the file again.');
  }
}
