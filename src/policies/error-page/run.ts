/** error-page at run time. */
import type { Exchange, PolicyInstance, Reply } from '../contract.js';
import { chooseMediaType, mediaType } from '../kits/negotiate.js';
import { addToken, BODY_FIELDS, runPolicy, Template } from '../run-kit.js';
import { FORMS, type Form } from './forms.js';
import type { ErrorPageSettings } from './schema.js';

/** Fields that a status requires, RFC 9110 sections 11.6.1, 10.2.1 and 14.4. */
const REQUIRED = ['allow', 'content-range', 'proxy-authenticate', 'www-authenticate'];

const TYPES: { readonly [form in Form]: string } = {
  html: 'text/html; charset=utf-8',
  json: 'application/json',
  text: 'text/plain; charset=utf-8',
};

/** Whether the media type is a kind of JSON. */
const isJson = (type: string): boolean => /^application\/(?:[^/]*\+)?json$/.test(type);

/** Owner of the note that tells which reply of an exchange is a page, for all policies of this kind. */
const PAGE = {};

export const create = runPolicy<ErrorPageSettings>((settings, host) => new ErrorPages(settings, host.name));

class ErrorPages implements PolicyInstance {
  readonly #settings: ErrorPageSettings;
  readonly #name: string;
  readonly #statuses: ReadonlySet<number>;
  readonly #keep: ReadonlySet<string> | undefined;
  readonly #pages: ReadonlyMap<string, { readonly form: Form; readonly template: Template }>;

  constructor(settings: ErrorPageSettings, name: string) {
    this.#settings = settings;
    this.#name = name;
    this.#statuses = numbersOf(settings.statuses);
    this.#keep = settings.keep === null ? undefined : new Set([...settings.keep, ...REQUIRED]);
    const pages = FORMS.flatMap((form) => {
      const parts = settings.pages[form];
      return parts === undefined ? [] : [[mediaType(TYPES[form]), { form, template: new Template(parts) }] as const];
    });
    this.#pages = new Map(pages);
  }

  after(exchange: Exchange, reply: Reply): undefined {
    if (!this.#statuses.has(reply.status) || !this.#applies(reply) || exchange.noted(PAGE) === reply) return;
    const page = this.#choose(exchange, reply);
    addToken(reply.headers, 'vary', 'Accept');
    if (page === undefined)
      return this.#decided(exchange, 'pass', `the client prefers the body of the ${reply.status}`);
    this.#replace(exchange, reply, page.form, page.template);
    exchange.note(PAGE, reply);
    this.#decided(exchange, 'edit', `the ${reply.status} has a page in ${page.form}`);
  }

  #applies({ code }: Reply): boolean {
    const { from } = this.#settings;
    return from === 'all' || (from === 'gateway') === (code !== undefined);
  }

  /** The page that the client prefers; undefined if the reply keeps its body. */
  #choose(exchange: Exchange, reply: Reply) {
    const pages = this.#pages;
    const own = mediaType(reply.headers.get('content-type'));
    const available = [...pages.keys()];
    if (isJson(own) && !pages.has('application/json')) available.unshift(own, 'application/json');
    else if (isJson(own)) available.push(own);
    const chosen = chooseMediaType(exchange.received('accept'), available);
    return chosen === undefined ? undefined : pages.get(chosen);
  }

  #replace(exchange: Exchange, reply: Reply, form: Form, template: Template): void {
    const { headers } = reply;
    // Rendered first: a page may show fields that are removed.
    const body = Buffer.from(template.renderBody(form, exchange, reply));
    if (reply.body !== null && !(reply.body instanceof Uint8Array)) reply.body.discard();
    reply.body = body;
    for (const name of BODY_FIELDS) headers.remove(name);
    const keep = this.#keep;
    if (keep !== undefined)
      for (const [name] of [...headers.entries()]) if (!keep.has(name) && name !== 'vary') headers.remove(name);
    headers.set('content-type', TYPES[form]);
  }

  #decided({ decisions }: Exchange, outcome: 'pass' | 'edit', why: string): undefined {
    decisions?.push({ step: this.#name, use: 'error-page', outcome, why });
  }
}

function numbersOf(statuses: readonly string[]): Set<number> {
  const numbers = new Set<number>();
  for (const status of statuses) {
    if (!status.endsWith('xx')) numbers.add(Number(status));
    else for (let last = 0; last < 100; last++) numbers.add(Number(status[0]) * 100 + last);
  }
  return numbers;
}
