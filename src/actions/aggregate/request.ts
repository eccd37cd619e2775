/** The request of a call, rendered for an exchange and an item. */
import type { ActionHost, CallRequest, Condition, Exchange } from '../../policies/contract.js';
import { writeJsonText } from '../../policies/kits/json-text/index.js';
import { LONGEST_FIELDS, LONGEST_PATH } from './bounds.js';
import type { CallSettings, ExpressionSettings } from './schema.js';
import type { Value } from './value.js';
import { type BodyForm, bodyFormOf, CallTemplate, type Scope } from './values.js';

type Field = readonly [name: string, value: string];

/** About content, representation and connection of the client's own request; and signatures of it. */
const OF_REQUEST =
  /^(accept|accept-encoding|content-.*|digest|expect|host|if-.*|max-forwards|range|repr-digest|signature|signature-input|want-.*)$/;
/** Sent whatever `pass` says. */
const ALWAYS = /^(baggage|forwarded|traceparent|tracestate|x-forwarded-(for|host|port|prefix|proto))$/;

/** The fields of an exchange that calls may pass on. */
export const passableFields = (host: ActionHost, exchange: Exchange): readonly Field[] =>
  [...host.passedFields(exchange)].filter(([name]) => !OF_REQUEST.test(name));

export type RenderedRequest = Pick<CallRequest, 'method' | 'path' | 'body'> & { readonly headers: readonly Field[] };

/** What is prepared once of a call. */
export class PreparedCall {
  readonly path: CallTemplate;
  readonly query: readonly (readonly [name: string, value: CallTemplate])[];
  readonly headers: readonly (readonly [name: string, value: CallTemplate])[];
  readonly body: CallTemplate | undefined;
  readonly json: Value | undefined;
  readonly when: Condition | undefined;
  readonly only: Value | undefined;
  readonly items: Value | undefined;
  /** Names of fields that it sets itself. */
  readonly own: ReadonlySet<string>;
  readonly #form: BodyForm;
  /** Of a path without variables. */
  readonly #hasDots: boolean | undefined;
  /** Fields that every request of the call has unless the call sets them itself. */
  readonly #usual: readonly Field[];

  /** `prepare` prepares an expression. Throws TypeError for an unknown variable. */
  constructor(
    readonly settings: CallSettings,
    host: ActionHost,
    prepare: (entry: ExpressionSettings) => Value,
  ) {
    const { body, forEach, headers, if: only, json, path, query, when } = settings;
    this.json = json === undefined ? undefined : prepare(json);
    this.only = only === undefined ? undefined : prepare(only);
    this.items = forEach === undefined ? undefined : prepare(forEach.items);
    this.path = new CallTemplate(path);
    const { constant } = this.path;
    this.#hasDots = constant === undefined ? undefined : hasDots(constant);
    this.query = query.map(([name, value]) => [encodeURIComponent(name), new CallTemplate(value)] as const);
    this.headers = headers.map(([name, value]) => [name, new CallTemplate(value)] as const);
    this.body = body === undefined ? undefined : new CallTemplate(body);
    this.when = when === undefined ? undefined : host.condition(when);
    this.own = new Set([...headers.map(([name]) => name), 'accept', 'accept-encoding', 'content-type']);
    const type = this.headers.find(([name]) => name === 'content-type')?.[1].constant;
    this.#form = type === undefined ? 'json' : bodyFormOf(type);
    const usual: Field[] = [['accept-encoding', 'identity']];
    if (settings.as === 'json') usual.push(['accept', 'application/json']);
    if (body !== undefined || json !== undefined) usual.push(['content-type', 'application/json']);
    this.#usual = usual.filter(([name]) => !headers.some(([own]) => own === name));
  }

  /** The request; a phrase if it cannot be sent. Rejects with ValueFault. */
  render(scope: Scope, passed: readonly Field[]): RenderedRequest | string | Promise<RenderedRequest> {
    const path = this.#path(scope);
    if (path === undefined) return 'a variable of the path has no value';
    if (path.length > LONGEST_PATH) return `the path has more than ${LONGEST_PATH} characters`;
    if (this.#hasDots ?? hasDots(path)) return 'a value makes `.` or `..` a segment of the path';
    const { method, pass } = this.settings;
    const fields: Field[] = [];
    for (const field of passed) {
      const [name] = field;
      if (this.own.has(name)) continue;
      if (pass === undefined || pass.includes(name) || ALWAYS.test(name)) fields.push(field);
    }
    for (const [name, template] of this.headers) {
      const value = template.render('field', scope);
      if (value !== undefined) fields.push([name, value]);
    }
    fields.push(...this.#usual);
    if (sizeOf(fields) > LONGEST_FIELDS) return `the fields have more than ${LONGEST_FIELDS} bytes`;
    const request = { method, path, headers: fields };
    if (this.json !== undefined)
      return this.json.read(scope).then((value) => ({ ...request, body: writeJsonText(value ?? null) }));
    return this.body === undefined ? request : { ...request, body: this.body.renderBody(this.#form, scope) };
  }

  #path(scope: Scope): string | undefined {
    let path = this.path.render('path', scope);
    if (path === undefined) return undefined;
    let mark = path.includes('?') ? '&' : '?';
    for (const [name, template] of this.query) {
      const value = template.render('query', scope);
      if (value === undefined) continue;
      path += `${mark}${name}=${value}`;
      mark = '&';
    }
    return path;
  }
}

/** Bytes of fields as lines, with some for those that gw adds. */
function sizeOf(fields: readonly Field[]): number {
  let size = 256;
  for (const [name, value] of fields) size += name.length + value.length + 4;
  return size;
}

/** Whether a segment of the path leads elsewhere, also for a service that decodes slashes or removes parameters of segments. */
const hasDots = (path: string): boolean =>
  /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\;]|%2f|%5c|%3b|$)/i.test(path.split('?', 1)[0]!);
