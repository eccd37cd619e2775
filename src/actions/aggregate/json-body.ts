/** Whether the template of a JSON body gives JSON, whatever the values are. Compile part. */
import { readJsonText } from '../../policies/kits/json-text/index.js';
import type { CallConfig } from './schema.js';
import { readTemplate } from './templates.js';

/** Bytes of a body that is checked. */
const LONGEST = 1024 ** 2;

/** Why the body of a call is not JSON, as a sentence about the text with `null` for each value. Undefined for none, and for other bodies. */
export function jsonBodyFault(
  { body, for_each, headers }: CallConfig,
  params: ReadonlySet<string>,
): string | undefined {
  if (body === undefined || !isJson(headers) || body.length > LONGEST) return undefined;
  const place = { by: undefined, at: [], params, each: for_each !== undefined, text: true };
  const { faults, parts } = readTemplate(body, place);
  if (faults.length > 0) return undefined;
  const text = withoutValues(parts.map((part) => (typeof part === 'string' ? part : undefined)));
  return readJsonText(Buffer.from(text), { bytes: LONGEST * 2 }).fault?.detail;
}

function isJson(headers: CallConfig['headers']): boolean {
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1];
  return type === undefined || /^\s*[^;{}]*[/+]json\s*(?:;|$)/i.test(type);
}

/** Text in which each value (undefined) is nothing inside of a string, and `null` outside, as in values.ts. */
function withoutValues(parts: readonly (string | undefined)[]): string {
  let text = '';
  let inside = false;
  for (const part of parts) {
    if (part === undefined) {
      if (!inside) text += 'null';
      continue;
    }
    text += part;
    for (let at = 0; at < part.length; at++) {
      if (part[at] === '"') inside = !inside;
      else if (inside && part[at] === '\\') at++;
    }
  }
  return text;
}
