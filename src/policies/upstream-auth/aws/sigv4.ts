/** AWS Signature Version 4. */
import * as crypto from 'node:crypto';
import { trimmedField } from '../../run-kit.js';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface AwsScope {
  readonly region: string;
  readonly service: string;
}

export interface AwsRequest {
  readonly method: string;
  /** As in the request line: path, and query with `?`. */
  readonly target: string;
  /** What is signed, Host among it. Lower-case names; several values are joined by commas. A character of a value is a byte. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** SHA-256 of the body as hex, or UNSIGNED-PAYLOAD. */
  readonly payload: string;
}

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
const ALGORITHM = 'AWS4-HMAC-SHA256';

/** As hex. */
export const sha256 = (data: string | Uint8Array): string => crypto.createHash('sha256').update(data).digest('hex');

/** `20150830T123600Z` for milliseconds since 1970. */
export const amzDate = (now: number): string => `${new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;

/** The value of Authorization. `date`: that of x-amz-date. */
export function authorization(
  request: AwsRequest,
  { accessKeyId, secretAccessKey }: AwsCredentials,
  { region, service }: AwsScope,
  date: string,
): string {
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const { text, signed } = canonicalRequest(request, service);
  // Fields are signed as the bytes that are sent, which may be UTF-8.
  const toSign = `${ALGORITHM}\n${date}\n${scope}\n${sha256(Buffer.from(text, 'latin1'))}`;
  const key = [date.slice(0, 8), region, service, 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${secretAccessKey}`,
  );
  const signature = hmac(key, toSign).toString('hex');
  return `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
}

const hmac = (key: string | Buffer, text: string): Buffer => crypto.createHmac('sha256', key).update(text).digest();

/** The canonical request, and the names of its signed fields, as the signing process of AWS describes them. */
export function canonicalRequest({ method, target, headers, payload }: AwsRequest, service: string) {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? '' : target.slice(question + 1);
  const byName = new Map<string, string[]>();
  for (const [name, value] of headers)
    byName.set(name, [...(byName.get(name) ?? []), trimmedField(value).replace(/ +/g, ' ')]);
  const names = [...byName.keys()].sort();
  const lines = names.map((name) => `${name}:${byName.get(name)!.join(',')}\n`).join('');
  const signed = names.join(';');
  const text = `${method}\n${canonicalPath(path, service)}\n${canonicalQuery(query)}\n${lines}\n${signed}\n${payload}`;
  return { text, signed };
}

/** Services of S3, by the names that they sign with: the endpoint rules of the SDKs set `disableDoubleEncoding` for them. */
const ENCODED_ONCE: ReadonlySet<string> = new Set(['s3', 's3-object-lambda', 's3-outposts', 's3express']);

/** Encoded as it is sent, once more; S3 takes the names of objects as they are, encoded once. */
function canonicalPath(path: string, service: string): string {
  if (ENCODED_ONCE.has(service)) return path.split('/').map(recoded).join('/');
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(encode(segment));
  }
  const end = kept.length > 0 && /\/\.?$/.test(path) ? '/' : '';
  return `/${kept.join('/')}${end}`;
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').flatMap((pair): [string, string][] => {
    if (pair === '') return [];
    const equals = pair.indexOf('=');
    const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    return [[recoded(name.replaceAll('+', ' ')), recoded(value.replaceAll('+', ' '))]];
  });
  pairs.sort(([a, x], [b, y]) => compare(a, b) || compare(x, y));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Everything but the unreserved characters of RFC 3986. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** Decoded and encoded again: each escape alone, since the bytes need not be UTF-8. */
const recoded = (text: string): string =>
  text
    .split(/(%[0-9A-Fa-f]{2})/)
    .map((part, at) => (at % 2 === 0 ? encode(part) : escaped(part)))
    .join('');

/** An unreserved character has no escape, and others have one in upper case. */
function escaped(text: string): string {
  const char = String.fromCharCode(Number.parseInt(text.slice(1), 16));
  return /[A-Za-z0-9._~-]/.test(char) ? char : text.toUpperCase();
}
