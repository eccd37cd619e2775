/** What `gw explain` is given besides the request: replies of services, and what duties publish. */
import { dirname, extname, resolve } from 'node:path';
import type { Json, PolicyEntry, Program } from '../bundle/types.js';
import type { Caller, ExplainRequest, OfflineMocks, OfflineReply } from '../control/explain.js';
import { failed, usage } from './exit-codes.js';
import { readInput, STANDARD } from './files.js';
import type { Io } from './io.js';
import { findSpec, isBundleFile } from './spec.js';

/** Media types of files by their extension. */
const TYPES: { readonly [extension: string]: string } = {
  '.html': 'text/html; charset=utf-8',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.xml': 'application/xml',
};

const MOCK = /^([^=]+)=([2-5][0-9][0-9])(?::(.+))?$/s;
const PUBLISHED = /^([^=]+)=(.+)$/s;

/** Reads `SERVICE=STATUS` and `SERVICE=STATUS:FILE`. Throws CommandError for another form, or an unknown service. */
export function mocksOf(io: Io, texts: readonly string[], services: readonly string[]): OfflineMocks {
  const mocks = new Map<string, OfflineReply>();
  for (const text of texts) {
    const [, service, status, file] = MOCK.exec(text) ?? [];
    if (service === undefined)
      throw usage(`\`${text}\` is not a mock: write \`SERVICE=STATUS\` or \`SERVICE=STATUS:FILE\`.`);
    if (!services.includes(service))
      throw usage(`There is no service \`${service}\`. Services: ${services.join(', ') || 'none'}.`);
    mocks.set(service, { status: Number(status), ...(file === undefined ? {} : fileReply(io, file)) });
  }
  return Object.fromEntries(mocks);
}

function fileReply(io: Io, file: string): Pick<OfflineReply, 'body' | 'headers'> {
  const type = TYPES[extname(file).toLowerCase()] ?? 'application/octet-stream';
  return { body: readInput(io, file, 'document'), headers: { 'content-type': type } };
}

/**
 * Reads `--as`, `--key` and `--token`. Throws CommandError for more than one of them, an empty one, and a file that cannot be
 * read.
 */
export function callerOf(io: Io, { as, key, token }: Caller): Caller {
  const given = Object.entries({ as, key, token }).filter(([, value]) => value !== undefined);
  if (given.length > 1)
    throw usage(`Give one of ${given.map(([name]) => `\`--${name}\``).join(' and ')}: a request has one caller.`);
  if (as !== undefined) return { as };
  if (key !== undefined) return { key: credentialOf(io, key) };
  return token === undefined ? {} : { token: credentialOf(io, token) };
}

/**
 * The client certificate in a file, presented to a listener: the one given, or the first that asks for certificates. Throws
 * CommandError if there is none, or if a file cannot be used.
 */
export async function clientOf(
  io: Io,
  file: string,
  program: Program,
  request: Pick<ExplainRequest, 'url' | 'headers'>,
  listener: string | undefined,
  spec: string | undefined,
): Promise<Pick<ExplainRequest, 'client' | 'listener'>> {
  const { CertificateError, presentedTo } = await import('../control/explain-certificate.js');
  const pem = Buffer.from(readInput(io, file, 'secret')).toString('utf8');
  // What a bundle or standard input names is relative to the working directory.
  const elsewhere = spec === STANDARD || (spec !== undefined && (await isBundleFile(resolve(io.cwd, spec))));
  const root = elsewhere ? io.cwd : dirname(findSpec(io, spec));
  try {
    return presentedTo(program, { pem, file, listener, request, root, env: io.env });
  } catch (error) {
    if (error instanceof CertificateError) throw usage(error.message);
    throw error;
  }
}

/** `@FILE` keeps a credential out of the history of a shell. */
function credentialOf(io: Io, text: string): string {
  const value = text.startsWith('@')
    ? Buffer.from(readInput(io, text.slice(1), 'document'))
        .toString('utf8')
        .trim()
    : text;
  if (value === '') throw usage('The credential is empty.');
  if (/[\r\n\0]/.test(value)) throw usage('The credential holds a line break or a NUL.');
  return value;
}

/** A file with the value of a duty. */
export interface PublishedFile {
  readonly file: string;
  readonly value: Json;
}

/**
 * Reads `POLICY=FILE`: JSON that the duty of the policy would publish. Throws CommandError for another form, an unknown policy,
 * one without a duty, and a file that cannot be read or is not JSON. The policy itself checks the value.
 */
export function publishedOf(
  io: Io,
  texts: readonly string[],
  policies: readonly PolicyEntry[],
): ReadonlyMap<string, PublishedFile> {
  const files = new Map<string, PublishedFile>();
  for (const text of texts) {
    const [, name, file] = PUBLISHED.exec(text) ?? [];
    if (name === undefined || file === undefined)
      throw usage(`\`${text}\` is not what a duty publishes: write \`POLICY=FILE\`.`);
    const policy = policies.find((entry) => entry.name === name);
    if (policy?.duty === undefined) {
      const duties = policies.filter(({ duty }) => duty !== undefined).map((entry) => entry.name);
      const fault =
        policy === undefined ? `There is no policy \`${name}\`.` : `The policy \`${name}\` fetches nothing.`;
      throw usage(`${fault} Policies with a duty: ${duties.join(', ') || 'none'}.`);
    }
    files.set(name, { file, value: jsonOf(io, file) });
  }
  return files;
}

function jsonOf(io: Io, file: string): Json {
  const text = Buffer.from(readInput(io, file, 'document'))
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) throw failed(`${file} is not JSON: ${error.message}.`);
    throw error;
  }
}
