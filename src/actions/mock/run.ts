/** mock at run time: chooses one of the examples that the compiler wrote out. */
import type { ActionInstance, Exchange, Reply } from '../../policies/contract.js';
import { chooseMediaType } from '../../policies/kits/negotiate.js';
import { BytesReply, HeaderMap, problem, runAction } from '../../policies/run-kit.js';
import { PROBLEMS } from './problems.js';
import type { MockExample, MockMedia, MockOperation, MockReply, MockSettings } from './schema.js';

export const create = runAction<MockSettings>(({ operations }) => new Mock(new Map(Object.entries(operations))));

class Mock implements ActionInstance {
  readonly #operations: ReadonlyMap<string, MockOperation>;
  readonly #allow: string;

  constructor(operations: ReadonlyMap<string, MockOperation>) {
    this.#operations = operations;
    const methods = [...operations.keys()];
    this.#allow = (methods.includes('GET') ? [...new Set([...methods, 'HEAD'])] : methods).join(', ');
  }

  start(exchange: Exchange): Reply {
    const operation = this.#operationFor(exchange.method);
    if (operation === undefined) return problem(exchange, { ...PROBLEMS.method, headers: { allow: this.#allow } });
    const preference = preferenceOf(exchange.header('prefer'));
    const preferred = preference.code === undefined ? undefined : replyFor(operation, preference.code);
    const reply = preferred?.reply ?? operation.replies[operation.first]!;
    const headers = new HeaderMap(reply.headers);
    const status = preferred?.status ?? reply.status;
    const applied = preferred === undefined ? [] : [`code=${status}`];
    if (reply.media.length === 0) return new BytesReply(status, { headers: withApplied(headers, applied) });
    headers.append('vary', 'accept, prefer');
    const media = mediaFor(reply, exchange.header('accept'));
    if (media === undefined) return problem(exchange, PROBLEMS.unacceptable);
    const named = media.examples.find(({ name }) => name === preference.example);
    if (named !== undefined) applied.push(`example=${JSON.stringify(named.name)}`);
    headers.append('content-type', media.type);
    const { body } = named ?? exampleOf(media, operation.example);
    return new BytesReply(status, { headers: withApplied(headers, applied), body });
  }

  #operationFor(method: string): MockOperation | undefined {
    const operations = this.#operations;
    return operations.get(method) ?? (method === 'HEAD' ? operations.get('GET') : undefined) ?? operations.get('*');
  }
}

const exampleOf = ({ examples }: MockMedia, name: string | undefined): MockExample =>
  examples.find((example) => example.name === name) ?? examples[0]!;

/** RFC 7240 section 3; only ASCII names can be listed. */
function withApplied(headers: HeaderMap, applied: readonly string[]): HeaderMap {
  const listed = applied.join(', ');
  if (/^[\x20-\x7e]+$/.test(listed)) headers.append('preference-applied', listed);
  return headers;
}

/** The reply for a status: the documented one, that of its class (`4XX`), or the default. */
function replyFor(
  { replies }: MockOperation,
  code: string,
): { readonly reply: MockReply; readonly status: number } | undefined {
  if (!/^[2-5]\d\d$/.test(code)) return undefined;
  for (const wanted of [code, `${code[0]}XX`, 'default']) {
    const reply = replies.find((one) => one.code === wanted);
    if (reply !== undefined) return { reply, status: Number(code) };
  }
  return undefined;
}

function mediaFor({ media }: MockReply, accept: string | undefined): MockMedia | undefined {
  const type = chooseMediaType(
    accept,
    media.map((one) => one.type),
  );
  return media.find((one) => one.type === type);
}

const PREFERENCE = /(?:^|[,;])\s*(code|example)\s*=\s*(?:"([^"]*)"|([^\s,;"]+))/gi;

/** The preferences of RFC 7240 that mocks know. Others, and malformed ones, are ignored. */
function preferenceOf(field: string | undefined): { readonly code?: string; readonly example?: string } {
  if (field === undefined) return {};
  const found: { code?: string; example?: string } = {};
  for (const [, name = '', quoted, plain = ''] of field.matchAll(PREFERENCE)) {
    const key = name.toLowerCase() === 'code' ? 'code' : 'example';
    // The first one counts, RFC 7240 section 2.
    found[key] ??= quoted ?? plain;
  }
  return found;
}
