/** Templates in paths, queries and cookies: variables are encoded so that they stay within their place. */
import type { Exchange, Json, Reply, TemplateEntry } from '../../contract.js';
import { encodeByte, Template } from '../../run-kit.js';

export type UrlPart = string | ((exchange: Exchange) => string);

/** Percent-encodes text; an unpaired surrogate becomes U+FFFD. */
export const encodeText = (text: string): string => encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, '\ufffd'));

/** Encodes what has one byte per character, or escapes: the value of a field, a raw path. */
const encodeBytes = (text: string): string => text.replace(/[^A-Za-z0-9\-._~]/g, encodeByte);
const encodeRaw = (raw: string): string => raw.replace(/[^A-Za-z0-9\-._~%]/g, encodeByte);

/** The parts of a path: parameters and the path of the request are used as they are in the normalised path. */
export function pathPart(part: string | { readonly var: string }): UrlPart {
  if (typeof part === 'string') return part;
  const name = part.var;
  if (name === 'request.path') return (exchange) => exchange.path;
  return name.startsWith('param.') ? rawParam(name) : encoded(name);
}

/** A value of a query or a cookie, with everything in it encoded; '' for none. */
export class EncodedValue {
  readonly #parts: readonly UrlPart[];
  readonly #constant: string | undefined;

  constructor(parts: readonly Json[]) {
    const plan = parts as TemplateEntry;
    this.#parts = plan.map((part) => (typeof part === 'string' ? encodeText(part) : valuePart(part.var)));
    const texts = this.#parts.filter((part) => typeof part === 'string');
    this.#constant = texts.length === plan.length ? texts.join('') : undefined;
  }

  render(exchange: Exchange): string {
    if (this.#constant !== undefined) return this.#constant;
    let text = '';
    for (const part of this.#parts) text += typeof part === 'string' ? part : part(exchange);
    return text;
  }
}

function valuePart(name: string): UrlPart {
  if (name === 'request.path') return (exchange) => encodeRaw(exchange.path);
  if (!name.startsWith('param.')) return encoded(name);
  const read = rawParam(name);
  return (exchange) => encodeRaw(read(exchange));
}

function rawParam(variable: string): (exchange: Exchange) => string {
  const name = variable.slice('param.'.length);
  return (exchange) => exchange.rawParam(name) ?? '';
}

/** Throws TypeError for an unknown variable. */
function encoded(variable: string): (exchange: Exchange, reply?: Reply) => string {
  const template = new Template([{ var: variable }]);
  const encode = variable.startsWith('request.header.') ? encodeBytes : encodeText;
  return (exchange) => encode(template.render(exchange));
}
