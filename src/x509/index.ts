/** Certificates and revocation lists: reading and verification without a TLS handshake. */
export { Certificate } from './certificate.js';
export {
  ClientTrust,
  constrainingIn,
  readCertificates,
  readRevocationLists,
  type Verification,
} from './client-trust.js';
export { DerError } from './der.js';
export { certificateFacts } from './facts.js';
export { DistinguishedName } from './names.js';
export { pemOf } from './pem.js';
export type { RevocationList } from './revocation-list.js';
