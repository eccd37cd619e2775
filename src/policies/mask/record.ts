/** Masks what records of exchanges say. */
import type { RecordTexts } from '../contract.js';
import { decodeQuery } from '../run-kit.js';
import { DEFAULT_TEXT, type Form, formOf } from './forms.js';
import type { LogRuleSettings, SegmentPlace } from './schema.js';
import { TextMask, type TextRule, textRule } from './texts.js';

/** How a value is masked: as a whole, or what is found in it. */
interface ValueMask {
  readonly form: Form | undefined;
  readonly texts: TextMask;
}

interface LogRule {
  readonly settings: LogRuleSettings;
  readonly form: Form;
  readonly text: TextRule | undefined;
}

export class RecordMask {
  readonly #query: ReadonlyMap<string, ValueMask>;
  readonly #rules: readonly LogRule[];
  readonly #everywhere: TextMask;

  constructor(rules: readonly LogRuleSettings[]) {
    this.#rules = rules.map((settings) => ({
      settings,
      form: formOf(settings.form),
      text: settings.find === null ? undefined : textRule(settings.find, settings.form),
    }));
    const everywhere = this.#rules.flatMap(({ settings, text }) => (settings.everywhere ? (text ?? []) : []));
    this.#everywhere = new TextMask(everywhere);
    const names = new Set(rules.flatMap(({ query }) => query));
    this.#query = new Map(Array.from(names, (name) => [name, this.#valueMask(({ query }) => query.includes(name))]));
  }

  /** Edits the record in place. */
  mask(record: RecordTexts): void {
    const { callPaths, cause, route, url, whys } = record;
    const values: Values = new Map();
    const query = url.indexOf('?');
    const path = this.#path(query < 0 ? url : url.slice(0, query), route, values);
    record.url = query < 0 ? path : `${path}?${this.#parameters(url.slice(query + 1), values)}`;
    record.callPaths = callPaths.map((one) => this.#callPath(one, values));
    const hidden = values.size === 0 ? undefined : new HiddenValues(values);
    if (cause !== null) record.cause = this.#text(cause, hidden);
    record.whys = whys.map((why) => this.#text(why, hidden));
  }

  #text(text: string, hidden: HiddenValues | undefined): string {
    const shown = hidden === undefined ? text : hidden.mask(text);
    return this.#everywhere.mask(shown) ?? shown;
  }

  #valueMask(isIts: (settings: LogRuleSettings) => boolean): ValueMask {
    const own = this.#rules.filter(({ settings }) => isIts(settings));
    const texts = this.#rules.filter(({ settings }) => isIts(settings) || settings.everywhere);
    return {
      form: own.find(({ text }) => text === undefined)?.form,
      texts: new TextMask(texts.flatMap(({ text }) => text ?? [])),
    };
  }

  #path(path: string, route: string | null, values: Values): string {
    if (!path.startsWith('/')) return this.#everywhere.mask(path) ?? path;
    return path
      .split('/')
      .map((segment, index) => {
        if (segment === '') return segment;
        // The first one is empty: what stands before the first slash.
        const rules = this.#rules.filter(({ settings }) => isPlace(settings.segments[route ?? ''], index - 1));
        const form = rules.find(({ text }) => text === undefined)?.form;
        const text = decodeSegment(segment);
        if (form !== undefined) values.set(text, form);
        return masked(segment, text, form, () => this.#textsOf(rules));
      })
      .join('/');
  }

  /** Parameters of the request are often parts of the paths of its calls. */
  #callPath(path: string, values: Values): string {
    return path
      .split('/')
      .map((segment) => {
        const text = decodeSegment(segment);
        return masked(segment, text, segment === '' ? undefined : values.get(text), () => this.#everywhere);
      })
      .join('/');
  }

  #textsOf(rules: readonly LogRule[]): TextMask {
    if (rules.length === 0) return this.#everywhere;
    const used = this.#rules.filter((rule) => rules.includes(rule) || rule.settings.everywhere);
    return new TextMask(used.flatMap(({ text }) => text ?? []));
  }

  #parameters(query: string, values: Values): string {
    return query
      .split('&')
      .map((pair) => {
        const equals = pair.indexOf('=');
        const rawName = equals < 0 ? pair : pair.slice(0, equals);
        const name = decodeQuery(rawName);
        const shownName = masked(rawName, name, undefined, () => this.#everywhere);
        if (equals < 0) return shownName;
        const raw = pair.slice(equals + 1);
        const mask = this.#query.get(name);
        const value = decodeQuery(raw);
        if (mask?.form !== undefined) values.set(value, mask.form);
        return `${shownName}=${masked(raw, value, mask?.form, () => mask?.texts ?? this.#everywhere)}`;
      })
      .join('&');
  }
}

/** Values of the request that are masked as a whole, and how. */
type Values = Map<string, Form>;

/** Values that are looked for in causes and decisions; a request with more of them has no such texts. */
const MOST_VALUES = 100;
/** Characters of a value that is also found inside of a word. */
const LONG_VALUE = 4;
const WORD = /[\p{L}\p{N}]/u;

/** Finds values that are masked as a whole in other texts of the record, such as the path that a step has made of them. */
class HiddenValues {
  readonly #masked: ReadonlyMap<string, string> | undefined;
  readonly #pattern: RegExp | undefined;

  constructor(values: Values) {
    if (values.size > MOST_VALUES) return;
    const masked = new Map<string, string>();
    for (const [value, form] of values)
      if (value !== '')
        for (const text of [value, encodeURIComponent(withoutLone(value))]) masked.set(text, form.mask(value));
    this.#masked = masked;
    // The longest first: a value may be a part of another one.
    const texts = [...masked.keys()].sort((a, b) => b.length - a.length);
    if (texts.length > 0) this.#pattern = new RegExp(texts.map(escaped).join('|'), 'g');
  }

  mask(text: string): string {
    const masked = this.#masked;
    if (masked === undefined) return DEFAULT_TEXT;
    if (this.#pattern === undefined) return text;
    return text.replace(this.#pattern, (found, at: number) => {
      const isWord = !WORD.test(text[at - 1] ?? '') && !WORD.test(text[at + found.length] ?? '');
      return isWord || found.length >= LONG_VALUE ? (masked.get(found) ?? DEFAULT_TEXT) : found;
    });
  }
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
const withoutLone = (text: string): string => text.replace(/\p{Cs}/gu, '\ufffd');

const isPlace = (places: readonly SegmentPlace[] | undefined, at: number): boolean =>
  places?.some(({ index, tail }) => at === index || (tail && at > index)) === true;

/** `raw` if nothing is masked, else the masked text, encoded. */
function masked(raw: string, text: string, form: Form | undefined, texts: () => TextMask): string {
  const result = form === undefined ? texts().mask(text) : form.mask(text);
  return result === undefined ? raw : encodeURIComponent(withoutLone(result));
}

/** A text with an invalid encoding stays as it is. */
function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
