/** A certificate as policies see it. */
import type { ClientCertificate } from '../contract/index.js';
import type { Certificate } from './certificate.js';

/** `chain`: what came with it, without the authority that a listener trusts. `verified` is asked for when it is needed. */
export function certificateFacts(
  certificate: Certificate,
  chain: readonly Certificate[],
  verified: () => boolean,
): ClientCertificate {
  const { subjectName, issuerName, x509 } = certificate;
  return {
    get verified() {
      return verified();
    },
    subject: subjectName.lines,
    issuer: issuerName.lines,
    subjectName: subjectName.text,
    issuerName: issuerName.text,
    commonNames: subjectName.valuesOf('CN'),
    subjectAltName: x509.subjectAltName,
    names: certificate.names,
    fingerprint: certificate.fingerprint,
    serialNumber: x509.serialNumber,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    raw: certificate.raw,
    chain: chain.map(({ raw }) => raw),
  };
}
