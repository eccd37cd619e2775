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
    this.query = query.map(([name, value]) => [encodeURIComponent(name), new CallTemplate(value)] as const);
    this.headers = headers.map(([name, value]) => [name, new CallTemplate(value)] as const);
    this.body = body === undefined ? undefined : new CallTemplate(body);
    this.when = when === undefined ? undefined : host.condition(when);
    this.own = new Set([...headers.map(([name]) => name), 'accept', 'accept-encoding', 'content-type']);
    const type = this.headers.find(([name]) => name === 'content-type')?.[1].constant;
    this.#form = type === undefined ? 'json' : bodyFormOf(type);
  }

  /** The request; a phrase if it cannot be sent. Rejects with ValueFault. */
  async render(scope: Scope, passed: readonly Field[]): Promise<RenderedRequest | string> {
    const path = this.#path(scope);
    if (path === undefined) return 'a variable of the path has no value';
    if (path.length > LONGEST_PATH) return `the path has more than ${LONGEST_PATH} characters`;
    if (hasDots(path)) return 'a value makes `.` or `..` a segment of the path';
    const { method, pass } = this.settings;
    const fields: Field[] = [];
    for (const field of passed) {
      const [name] = field;
      if (this.own.has(name)) continue;
      if (pass === undefined || pass.includes(name) || ALWAYS.test(name)) fields.push(field);
    }
    const written = new Set<string>();
    for (const [name, template] of this.headers) {
      written.add(name);
      const value = template.render('field', scope);
      if (value !== undefined) fields.push([name, value]);
    }
    if (!written.has('accept') && this.settings.as === 'json') fields.push(['accept', 'application/json']);
    if (!written.has('accept-encoding')) fields.push(['accept-encoding', 'identity']);
    if (sizeOf(fields) > LONGEST_FIELDS) return `the fields have more than ${LONGEST_FIELDS} bytes`;
    if (this.body === undefined && this.json === undefined) return { method, path, headers: fields };
    if (!written.has('content-type')) fields.push(['content-type', 'application/json']);
    const body =
      this.json === undefined
        ? this.body!.renderBody(this.#form, scope)
        : writeJsonText((await this.json.read(scope)) ?? null);
    return { method, path, headers: fields, body };
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
const sizeOf = (fields: readonly Field[]): number =>
  fields.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 256);

/** Whether a segment of the path leads elsewhere, also for a service that decodes slashes or removes parameters of segments. */
const hasDots = (path: string): boolean =>
  /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\;]|%2f|%5c|%3b|$)/i.test(path.split('?', 1)[0]!);
