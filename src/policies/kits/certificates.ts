/** Certificates for policies: reading and verification without a TLS handshake. */
export {
  Certificate,
  ClientTrust,
  certificateFacts,
  DerError,
  DistinguishedName,
  readCertificates,
  readRevocationLists,
} from '../../x509/index.js';
