/** A client that keeps cookies and follows redirects like a browser, without scripts and pages. */
import { request as httpRequest, type IncomingMessage } from 'node:http';

export interface Visit {
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The URLs on the way, with this one. */
  readonly path: readonly string[];
}

export interface VisitOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Redirects that are followed. Default: 10. */
  readonly follow?: number;
}

const PAGE = {
  accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
};

/** Cookies by host with port: unlike those of browsers, so that several servers of one test are apart. */
export class Jar {
  readonly cookies = new Map<string, Map<string, string>>();

  of(host: string): Map<string, string> {
    const known = this.cookies.get(host) ?? new Map<string, string>();
    this.cookies.set(host, known);
    return known;
  }

  names(url: string): string[] {
    return [...this.of(new URL(url).host).keys()].sort();
  }

  copy(): Jar {
    const copy = new Jar();
    for (const [host, cookies] of this.cookies) copy.cookies.set(host, new Map(cookies));
    return copy;
  }

  take(host: string, lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(';');
      const equals = pair.indexOf('=');
      const name = pair.slice(0, equals);
      if (attributes.some((one) => /^\s*max-age=0\s*$/i.test(one))) this.of(host).delete(name);
      else this.of(host).set(name, pair.slice(equals + 1));
    }
  }
}

/** Opens a page. */
export async function visit(jar: Jar, where: string, options: VisitOptions = {}): Promise<Visit> {
  const path: string[] = [];
  let url = where;
  let { method = 'GET', body } = options;
  for (let hop = 0; ; hop++) {
    path.push(url);
    const { host } = new URL(url);
    const cookie = [...jar.of(host)].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...PAGE, ...(cookie === '' ? {} : { cookie }), ...options.headers };
    const answer = await send(url, method, headers, body);
    jar.take(host, answer.headers['set-cookie'] ?? []);
    const { location } = answer.headers;
    if (location === undefined || answer.status < 300 || answer.status > 399 || hop >= (options.follow ?? 10))
      return { url, path, ...answer };
    url = new URL(location, url).href;
    method = 'GET';
    body = undefined;
  }
}

function send(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): Promise<Pick<Visit, 'status' | 'headers' | 'body'>> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Signs in on the page of the issuer, and returns to the site. */
export async function signIn(jar: Jar, page: Visit, user = 'ann', more = ''): Promise<Visit> {
  const query = /name="query" value="([^"]*)"/.exec(page.body)?.[1] ?? '';
  const plain = query.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
  const body = `${new URLSearchParams({ query: plain, user, password: 'secret' }).toString()}${more}`;
  return visit(jar, new URL('/sign-in', page.url).href, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
}
