/** The fields of RFC 9440. Their values are structured fields (RFC 9651): byte sequences between colons. */

/** The certificate of the client. */
export const CLIENT_CERT = 'client-cert';
/** The certificates between it and the authority, nearest first. */
export const CLIENT_CERT_CHAIN = 'client-cert-chain';

/** Most certificates of a chain. */
const MAX_CHAIN = 8;

/** The bytes of Client-Cert; undefined if it is anything but one byte sequence. */
export const readClientCert = (text: string): Buffer | undefined => readBytes(text.trim());

/** The certificates of Client-Cert-Chain; undefined if it is malformed or too long. */
export function readClientCertChain(text: string): Buffer[] | undefined {
  const members = text.split(',').map((member) => readBytes(member.trim()));
  return members.length <= MAX_CHAIN && members.every((one) => one !== undefined) ? members : undefined;
}

/** RFC 9651 section 4.2.7. Only one text for the same bytes is accepted: padded, and without stray bits. */
function readBytes(text: string): Buffer | undefined {
  const inner = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(text)?.[1];
  if (inner === undefined) return undefined;
  const bytes = Buffer.from(inner, 'base64');
  return bytes.toString('base64') === inner ? bytes : undefined;
}

/** A byte sequence, RFC 9651 section 3.3.5. */
export const writeBytes = (bytes: Uint8Array): string => `:${Buffer.from(bytes).toString('base64')}:`;

/** A list of strings, RFC 9651 section 3.1: names may contain commas. They are printable ASCII. */
export const writeStrings = (texts: readonly string[]): string =>
  texts.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`).join(', ');
