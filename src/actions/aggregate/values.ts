/** Templates of calls at run time: parts are joined in the form that their place requires. */
import type { Exchange, HeaderFields } from '../../policies/contract.js';
import { isLongNumber, type JsonValue, writeJsonText } from '../../policies/kits/json-text/index.js';
import {
  encodeByte,
  escapeHtml,
  escapeJson,
  fieldSafe,
  Template,
  type TextForm,
  textFormOf,
} from '../../policies/run-kit.js';
import type { CallTemplateEntry, PartEntry } from './schema.js';
import { type ValueEntry, valueAt } from './value-path.js';

/** What a call has become. */
export interface CallResult {
  readonly outcome: 'ok' | 'failed' | 'skipped';
  /** Absent: no single reply. */
  readonly status?: number;
  readonly headers?: HeaderFields;
  /** The body as a value, if something reads it. */
  readonly value?: JsonValue;
}

/** What templates read. */
export interface Scope {
  readonly exchange: Exchange;
  /** By index of the call; undefined: it has not ended. */
  readonly results: readonly (CallResult | undefined)[];
  /** The body of the request, if it is read. */
  readonly body?: JsonValue | undefined;
  /** The item of a fan-out. */
  readonly item?: JsonValue;
}

export function readValue({ call, of, path }: ValueEntry, { body, item, results }: Scope): JsonValue | undefined {
  if (of === 'value') return valueAt(item, path);
  if (of === 'request') return valueAt(body, path);
  const result = results[call];
  if (of === 'status') return result?.status;
  if (of === 'header') return result?.headers?.get(path[0] ?? '');
  return valueAt(result?.value, path);
}

/** A value as text: lists of plain values joined with commas, other lists and objects as JSON. */
function textOf(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || isLongNumber(value)) return String(value);
  const plain = Array.isArray(value) && value.every(isPlain);
  return plain ? (value as readonly JsonValue[]).map(textOf).join(',') : writeJsonText(value);
}

const isPlain = (value: JsonValue): boolean => typeof value !== 'object' || value === null || isLongNumber(value);

/** `form`: parameters as in a query. */
export type BodyForm = TextForm | 'form';

/** What the body of a call is, by its Content-Type. */
export const bodyFormOf = (type: string): BodyForm =>
  /^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type) ? 'form' : textFormOf(type);

/** Where a template is: a path with an optional query, the value of a parameter of a query, or a field. */
type Place = 'path' | 'query' | 'field';

/** Where a value is within a URL: `tail` is a query as the path of a call has it. */
type UrlPlace = 'path' | 'tail' | 'query';

interface Part {
  readonly literal?: string;
  /** A value of a call or an item. */
  readonly value?: ValueEntry;
  /** A variable of gw. */
  readonly template?: Template;
  readonly name: string;
}

export class CallTemplate {
  readonly #parts: readonly Part[];
  /** The text, if no part is a variable. */
  readonly constant: string | undefined;
  #inString: readonly boolean[] | undefined = undefined;

  /** Throws TypeError for an unknown variable. */
  constructor(readonly plan: CallTemplateEntry) {
    this.#parts = plan.map(partOf);
    this.constant = plan.every((part) => typeof part === 'string') ? plan.join('') : undefined;
  }

  /** The text for a path, a parameter of a query or a field; undefined if a variable has no value. */
  render(place: Place, scope: Scope): string | undefined {
    if (this.constant !== undefined) return place === 'query' ? encodeURIComponent(this.constant) : this.constant;
    let text = '';
    let at: UrlPlace = place === 'query' ? 'query' : 'path';
    for (const part of this.#parts) {
      if (part.literal !== undefined) {
        text += place === 'query' ? encodeURIComponent(part.literal) : part.literal;
        if (place === 'path' && part.literal.includes('?')) at = 'tail';
        continue;
      }
      const value = place === 'field' ? fieldText(part, scope) : urlText(part, at, scope);
      if (value === '' && !(at === 'tail' && part.name === 'request.query')) return undefined;
      text += value;
    }
    return text;
  }

  /** The text of a body, in which a value cannot end the string, the parameter or the element that contains it. */
  renderBody(form: BodyForm, scope: Scope): string {
    if (this.constant !== undefined) return this.constant;
    this.#inString ??= insideStrings(this.#parts);
    let text = '';
    this.#parts.forEach((part, index) => {
      if (part.literal !== undefined) text += part.literal;
      else if (form !== 'json') text += escapedText(form, plainText(part, scope));
      else if (this.#inString![index]) text += escapeJson(plainText(part, scope));
      else text += jsonText(part, scope);
    });
    return text;
  }
}

function escapedText(form: BodyForm, text: string): string {
  if (form === 'form') return encodeURIComponent(toWellFormed(text));
  return form === 'text' ? text : escapeHtml(text);
}

function partOf(part: PartEntry): Part {
  if (typeof part === 'string') return { literal: part, name: '' };
  if ('value' in part) return { value: part.value, name: '' };
  return part.var.startsWith('query.') ? { name: part.var } : { template: new Template([part]), name: part.var };
}

function plainText({ name, template, value }: Part, scope: Scope): string {
  if (value !== undefined) return textOf(readValue(value, scope));
  return template === undefined
    ? (scope.exchange.queryParam(name.slice('query.'.length)) ?? '')
    : template.render(scope.exchange);
}

/** Received fields have one byte for each character, which a field can contain unchanged. */
const fieldText = (part: Part, scope: Scope): string =>
  part.name.startsWith('request.header.') ? plainText(part, scope) : fieldSafe(plainText(part, scope));

/** The text of a value in which no character ends the segment, the path or the parameter that contains it. */
function urlText(part: Part, at: UrlPlace, scope: Scope): string {
  const { name } = part;
  const isParam = name.startsWith('param.');
  // As in the normalised path, where every escape is valid. It may contain `&`, which would begin another parameter of a query.
  if (isParam || name === 'request.path') {
    const raw = isParam ? (scope.exchange.rawParam(name.slice('param.'.length)) ?? '') : plainText(part, scope);
    return at === 'path' ? raw : raw.replace(/[^A-Za-z0-9\-._~%]/g, encodeByte);
  }
  const text = plainText(part, scope);
  // The parameters of the client, as they are: the one variable that stands for several.
  if (name === 'request.query' && at === 'tail') return text;
  return name.startsWith('request.header.')
    ? text.replace(/[^A-Za-z0-9\-._~]/g, encodeByte)
    : encodeURIComponent(toWellFormed(text));
}

/** encodeURIComponent() throws for an unpaired surrogate, which a string of JSON can contain. */
const toWellFormed = (text: string): string => text.replace(/\p{Cs}/gu, '\ufffd');

/** A value of JSON: that of a call as it is, a variable as a string. */
function jsonText(part: Part, scope: Scope): string {
  if (part.value !== undefined) return writeJsonText(readValue(part.value, scope) ?? null);
  const text = plainText(part, scope);
  return text === '' ? 'null' : `"${escapeJson(text)}"`;
}

/** For each part, whether it begins inside of a JSON string. */
function insideStrings(parts: readonly Part[]): readonly boolean[] {
  let inside = false;
  return parts.map(({ literal = '' }) => {
    const began = inside;
    for (let at = 0; at < literal.length; at++) {
      if (literal[at] === '"') inside = !inside;
      else if (inside && literal[at] === '\\') at++;
    }
    return began;
  });
}
