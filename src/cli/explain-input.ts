/** What `gw explain` is given besides the request: a body, and replies of services. */
import { extname } from 'node:path';
import type { OfflineMocks, OfflineReply } from '../control/explain.js';
import { usage } from './exit-codes.js';
import { readInput } from './files.js';
import type { Io } from './io.js';

/** Media types of files by their extension. */
const TYPES: { readonly [extension: string]: string } = {
  '.html': 'text/html; charset=utf-8',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.xml': 'application/xml',
};

const MOCK = /^([^=]+)=([2-5][0-9][0-9])(?::(.+))?$/s;

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
