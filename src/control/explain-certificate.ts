/** The client certificate of a request that `gw explain` explains, and by which rules its listener judges it. */
import { resolveReferences } from '../bundle/references.js';
import { tlsPolicyFor } from '../bundle/tls.js';
import type { Program } from '../bundle/types.js';
import { clientRules } from '../proxy/downstream/tls/options.js';
import { serverNameOf } from '../proxy/offline/request.js';
import type { OfflineRequest } from '../proxy/offline.js';
import { reasonOf } from '../reason.js';
import { DerError, readCertificates } from '../x509/index.js';
import { pemText, plain } from './references/pems.js';

/** The certificate cannot be presented: the file or the listener is the reason. */
export class CertificateError extends Error {}

export interface PresentedFile {
  /** PEM: the certificate, then its intermediates. */
  readonly pem: string;
  /** For messages. */
  readonly file: string;
  /** Name of the listener that it is presented to. Default: the first that asks for one. */
  readonly listener: string | undefined;
  /** Its host is the server name of the connection. */
  readonly request: Pick<OfflineRequest, 'url' | 'headers'>;
  /** The folder of the spec: files of `client_ca` are relative to it. */
  readonly root: string;
  readonly env: { readonly [name: string]: string | undefined };
}

/** What the client of an offline request presents, and to which listener. Throws CertificateError. */
export function presentedTo(
  program: Program,
  given: PresentedFile,
): Required<Pick<OfflineRequest, 'client' | 'listener'>> {
  const { pem, file, root, env } = given;
  const host = serverNameOf(given.request);
  const listener = program.listeners.find(({ name, tls }) =>
    given.listener === undefined ? tls && tlsPolicyFor(tls, host).client !== undefined : name === given.listener,
  );
  const client = listener?.tls && tlsPolicyFor(listener.tls, host).client;
  if (listener === undefined || client === undefined)
    throw new CertificateError(
      listener === undefined
        ? 'No listener asks clients for a certificate: none has `client_ca`.'
        : `The listener \`${listener.name}\` does not ask clients for a certificate: it has no \`client_ca\` for ${host}.`,
    );
  const certificates = read(file, () => readCertificates(pem));
  if (certificates.length === 0) throw new CertificateError(`${file} contains no certificate in PEM form.`);
  const rules = read('client_ca or client_crl', () => {
    const known = resolveReferences(client, ({ kind, name, fallback, text }) => {
      const value = kind === 'env' ? env[name] : kind === 'file' ? pemText(name, root, 'secret') : undefined;
      if ((value === undefined || value === '') && fallback === undefined)
        throw new CertificateError(`\`${text}\` has no value here.`);
      return value || fallback || '';
    });
    const ca = known.ca.map((one) => pemText(plain(one), root, 'secret'));
    const crl = known.crl?.map((one) => pemText(plain(one), root, 'revocationList'));
    return clientRules({ ...known, ca, ...(crl === undefined ? {} : { crl }) });
  });
  return { client: { certificates: certificates.map(({ raw }) => raw), rules }, listener: listener.name };
}

function read<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof CertificateError) throw error;
    throw new CertificateError(
      `${what} cannot be used: ${error instanceof DerError ? error.message : reasonOf(error)}.`,
    );
  }
}
