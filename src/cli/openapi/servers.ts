/** Servers of an OpenAPI document -> services. The first server is the target; others are often other environments. */
import { isAnyAddress, isPrivate } from '../../lint/address.js';
import { type Data, field, isList, isTable, textOf } from './document.js';
import { shortName, slug } from './names.js';

export interface ServiceDraft {
  name: string;
  readonly target: string;
  /** The other servers of the same list, for a comment. */
  readonly others: readonly string[];
  /** What the author should know or do. */
  readonly notes: readonly string[];
  /** Plain HTTP to a host on the internet. */
  readonly plaintext: boolean;
  /** The target has a name of its own, which it must see as its Host. */
  readonly named: boolean;
}

const PLACEHOLDER = 'http://127.0.0.1:3000';
/** Longest service name that is derived from a host, in characters. */
const LONGEST_HOST = 40;
const NO_HOST = 'The document names no host: put the address of the service here.';

/** Hands out one service for each distinct list of servers. */
export class Services {
  readonly #byKey = new Map<string, ServiceDraft>();
  readonly #names = new Set<string>();
  readonly #title: string;

  constructor(title: string) {
    this.#title = title;
  }

  get all(): ServiceDraft[] {
    return [...this.#byKey.values()];
  }

  /** The service for `servers`, a list as in OpenAPI; none or an empty one means `/`. */
  of(servers: Data | undefined): ServiceDraft {
    const list = isList(servers) && servers.length > 0 ? servers.filter(isTable) : [];
    const urls = list.map(serverUrl);
    const key = JSON.stringify(urls);
    let draft = this.#byKey.get(key);
    if (!draft) {
      draft = this.#draft(urls);
      this.#byKey.set(key, draft);
    }
    return draft;
  }

  #draft(urls: readonly string[]): ServiceDraft {
    const { target, note } = targetOf(urls[0] ?? '/');
    const { hostname, protocol } = new URL(target);
    const local = isPrivate(hostname.replace(/^\[|\]$/g, ''));
    return {
      name: this.#name(local ? undefined : hostname),
      target,
      others: urls.slice(1),
      notes: note === undefined ? [] : [note],
      plaintext: protocol === 'http:' && !local,
      named: !/^[\d.]+$|^\[/.test(hostname) && hostname !== 'localhost',
    };
  }

  /** The first service is called after the document, further ones after their hosts. */
  #name(hostname: string | undefined): string {
    const fromHost = hostname === undefined ? '' : slug(hostname, LONGEST_HOST);
    const fromTitle = shortName(this.#title);
    const base = (this.#names.size === 0 ? fromTitle || fromHost : fromHost || fromTitle) || 'api';
    let name = base;
    for (let count = 2; this.#names.has(name); count++) name = `${base}-${count}`;
    this.#names.add(name);
    return name;
  }
}

/** A server's URL with its variables filled in by their defaults, or their first values; those without either stay. */
function serverUrl(server: Data): string {
  const url = textOf(field(server, 'url')) ?? '/';
  const variables = field(server, 'variables');
  return url
    .replace(/\{([^{}]*)\}/g, (whole, name: string) => {
      const variable = field(variables, name);
      const values = field(variable, 'enum');
      const fallback = field(variable, 'default') ?? (isList(values) ? values[0] : undefined);
      return typeof fallback === 'object' || fallback === undefined ? whole : String(fallback);
    })
    .trim();
}

function targetOf(text: string): { target: string; note: string | undefined } {
  if (/[{}]/.test(text)) {
    return {
      target: PLACEHOLDER,
      note: `The server \`${text}\` has a variable without a default: put its address here.`,
    };
  }
  if (text.startsWith('//')) return absolute(`https:${text}`, text);
  if (text.startsWith('/') || text === '' || text === '.')
    return absolute(`${PLACEHOLDER}${text.replace(/^\.$/, '')}`, text, NO_HOST);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return absolute(text, text);
  // `api.example.com/v1`: meant as a host, though by the letter a relative path.
  if (/^[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?(\/|$)/i.test(text)) {
    return absolute(`https://${text}`, text, `The document says \`${text}\` without a scheme: HTTPS is assumed.`);
  }
  return absolute(`${PLACEHOLDER}/${text.replace(/^\.?\//, '')}`, text, NO_HOST);
}

function absolute(text: string, written: string, note?: string): { target: string; note: string | undefined } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    return { target: PLACEHOLDER, note: `\`${written}\` is not an HTTP address: put the address of the service here.` };
  }
  const mixed = (url.protocol === 'http:' && url.port === '443') || (url.protocol === 'https:' && url.port === '80');
  if (mixed) {
    // No server speaks one protocol on the other's port.
    const secure = new URL(`https://${url.hostname}${url.pathname}`).href;
    return absolute(secure, written, `\`${written}\` mixes HTTP and HTTPS: HTTPS on its own port is assumed.`);
  }
  if (isAnyAddress(url.hostname.replace(/^\[|\]$/g, ''))) {
    // An address to listen on; what listens there is reached by the address of this machine.
    url.hostname = url.hostname.startsWith('[') ? '[::1]' : '127.0.0.1';
  }
  const path = url.pathname.replace(/\/+$/, '').replace(/\/{2,}/g, '/');
  return { target: `${url.origin}${path}`, note };
}
