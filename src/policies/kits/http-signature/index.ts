/**
 * HTTP message signatures, RFC 9421, and Content-Digest, RFC 9530.
 *
 *     Signature-Input: sig1=("@method" "@path");created=1618884473;keyid="k"     readSignatures() -> SignatureInput
 *     Signature: sig1=:...:                                                      -> bytes
 *     message + input  --signatureBase()-->  text  --verify(key)-->  valid or not
 */
import { bytesOf, isInnerList, readDictionary } from '../structured-fields.js';
import { readInput, type SignatureInput } from './base.js';

export * from './algorithms.js';
export * from './base.js';
export * from './component.js';
export * from './content-digest.js';
export * from './key-text.js';

/** A signature of a message. */
export interface FoundSignature {
  readonly label: string;
  readonly input: SignatureInput;
  readonly signature: Uint8Array;
}

/** Signatures of one message that are read. */
const MAX_SIGNATURES = 8;

/** A signature whose parameters cannot be used: `fault` is a phrase. */
export interface UnusableSignature {
  readonly label: string;
  readonly fault: string;
  /** The one that it says, if it says one. */
  readonly tag?: string;
}

/** The signatures of a message, from its two fields; or what is wrong with the fields: a phrase. */
export function readSignatures(
  inputField: string,
  signatureField: string,
): readonly (FoundSignature | UnusableSignature)[] | string {
  const inputs = readDictionary(inputField);
  if (inputs === undefined) return 'the field Signature-Input is malformed or has a label twice';
  const signatures = readDictionary(signatureField);
  if (signatures === undefined) return 'the field Signature is malformed or has a label twice';
  if (inputs.size > MAX_SIGNATURES) return `the message has more than ${MAX_SIGNATURES} signatures`;
  // Section 4.2: each label is in both fields.
  if (inputs.size !== signatures.size || [...inputs.keys()].some((label) => !signatures.has(label)))
    return 'Signature and Signature-Input have different labels';
  const found: (FoundSignature | UnusableSignature)[] = [];
  for (const [label, member] of inputs) {
    const [value] = signatures.get(label)!;
    const signature = Array.isArray(value) ? undefined : bytesOf(value);
    const input = isInnerList(member) ? readInput(member) : 'the parameters are not an inner list';
    const tag = isInnerList(member) ? member[1].get('tag') : undefined;
    const unusable = { label, ...(typeof tag === 'string' ? { tag } : {}) };
    if (signature === undefined) found.push({ ...unusable, fault: 'the signature is not a byte sequence' });
    else if (typeof input === 'string') found.push({ ...unusable, fault: input });
    else found.push({ label, input, signature });
  }
  return found;
}

/** The two fields of a signature. */
export const signatureFields = (label: string, input: SignatureInput, signature: Uint8Array): [string, string] => [
  `${label}=${input.text}`,
  `${label}=:${Buffer.from(signature).toString('base64')}:`,
];
