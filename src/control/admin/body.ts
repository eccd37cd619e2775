/** Bodies of admin calls, and why a call is refused. */
import type { IncomingMessage } from 'node:http';
import type { Problem } from './problem.js';

/** Bytes of a body, unless the call says otherwise. */
const MOST_BYTES = 64 * 1024;

/** A refusal of a call. */
export class Refusal extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

export type Values = { readonly [key: string]: unknown };

export const invalid = (detail: string): Refusal =>
  new Refusal({ status: 422, code: 'admin/invalid', title: 'Invalid value', detail });

/** The refusal of a call by its method. */
export function refuseMethod(path: string, method: string, allow: string): Refusal {
  const detail = `\`${path}\` accepts ${allow}, not ${method}.`;
  return new Refusal({ status: 405, code: 'admin/method', title: 'Method not allowed', detail, headers: { allow } });
}

export function text(values: Values, key: string): string | undefined {
  const value = values[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalid(`\`${key}\` is a string.`);
  return value;
}

export function texts(values: Values, key: string): readonly string[] | undefined {
  const value = values[key];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw invalid(`\`${key}\` is a list of strings.`);
  }
  return value;
}

export function flag(values: Values, key: string): boolean | undefined {
  const value = values[key];
  if (value !== undefined && typeof value !== 'boolean') throw invalid(`\`${key}\` is true or false.`);
  return value;
}

/** The body of a call: a JSON object with no other keys, or nothing. @throws Refusal */
export async function bodyOf(request: IncomingMessage, keys: readonly string[], most = MOST_BYTES): Promise<Values> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= most) chunks.push(chunk);
  }
  if (size > most) {
    throw new Refusal({
      status: 413,
      code: 'admin/body',
      title: 'Body too large',
      detail: `A body has at most ${most} bytes.`,
    });
  }
  if (size === 0) return {};
  const values = parsed(Buffer.concat(chunks).toString('utf8'));
  const stray = Object.keys(values).find((key) => !keys.includes(key));
  if (stray === undefined) return values;
  throw invalid(`Unknown key \`${stray.slice(0, 60)}\`. Known: ${keys.join(', ')}.`);
}

function parsed(body: string): Values {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Values;
  } catch {
    // The message of JSON.parse may quote the body.
  }
  throw new Refusal({ status: 400, code: 'admin/body', title: 'Malformed body', detail: 'The body is a JSON object.' });
}
