/**
 * A constant rate of requests over real connections, HTTP/1.1 or HTTP/2, whatever becomes of the earlier ones (open loop), so that
 * a gateway that stalls gets no relief. Every request is kept with its outcome: a whole reply below 400 or why it failed.
 */
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from 'node:http2';
import { request as httpsRequest, type RequestOptions, Agent as SecureAgent } from 'node:https';

export interface LoadOptions {
  readonly port: number;
  readonly protocol: 'http/1.1' | 'h2';
  /** Requests per second. */
  readonly rate: number;
  readonly path?: string | ((index: number) => string);
  /** By number of the request. */
  readonly headers?: (index: number) => Readonly<Record<string, string>>;
  /** Milliseconds after which a client gives up. */
  readonly patience?: number;
  /** Over TLS; requests have the server name as their host. */
  readonly tls?: { readonly ca: string; readonly servername: string };
  /** A new connection for each request. */
  readonly fresh?: boolean;
}

export interface Result {
  /** When it was sent, monotonic milliseconds. */
  readonly at: number;
  readonly index: number;
  /** Milliseconds to the last byte or the failure; undefined while it is in flight. */
  took: number | undefined;
  status: number;
  /** Undefined: a whole reply below 400. Otherwise the status with the problem's type, or the error of the connection. */
  cause: string | undefined;
  /** The field `x-origin`: the target that has answered. */
  origin: string;
  retryAfter: string;
}

/** HTTP/2 connections over which the requests are spread. */
const SESSIONS = 4;
/** Milliseconds between two looks at what is due. */
const TICK = 5;
const PATIENCE = 10_000;
/** Bytes of a reply of which the problem is read. */
const MOST_TEXT = 64 * 1024;

export class ConstantLoad {
  readonly results: Result[] = [];
  readonly #options: LoadOptions;
  readonly #agent: Agent;
  readonly #sessions: (ClientHttp2Session | undefined)[] = [];
  readonly #since = performance.now();
  readonly #timer: NodeJS.Timeout;
  #inFlight = 0;
  #idle: (() => void) | undefined;

  private constructor(options: LoadOptions) {
    this.#options = options;
    const keepAlive = options.fresh !== true;
    this.#agent = options.tls === undefined ? new Agent({ keepAlive }) : new SecureAgent({ keepAlive });
    this.#timer = setInterval(() => this.#tick(), TICK);
  }

  static start(options: LoadOptions): ConstantLoad {
    return new ConstantLoad(options);
  }

  /** Requests that have no outcome yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  #tick(): void {
    const due = ((performance.now() - this.#since) * this.#options.rate) / 1000;
    while (this.results.length < due) this.#send(this.results.length);
  }

  #send(index: number): void {
    const at = performance.now();
    const result: Result = { at, index, took: undefined, status: 0, cause: undefined, origin: '', retryAfter: '' };
    this.results.push(result);
    this.#inFlight++;
    const { path = '/' } = this.#options;
    const where = typeof path === 'string' ? path : path(index);
    const headers = this.#options.headers?.(index) ?? {};
    const exchange = new Exchange(result, this.#options.patience ?? PATIENCE, () => {
      if (--this.#inFlight === 0) this.#idle?.();
    });
    const { protocol, port, tls, fresh = false } = this.#options;
    if (protocol === 'h2') {
      const session = fresh ? this.#open() : this.#session(index % SESSIONS);
      const authority = tls === undefined ? {} : { ':authority': tls.servername };
      exchange.overHttp2(session, { ':path': where, ...authority, ...headers }, fresh);
    } else {
      const host = tls === undefined ? {} : { host: tls.servername };
      const options = { port, host: '127.0.0.1', agent: this.#agent, path: where, headers: { ...host, ...headers } };
      exchange.overHttp1(tls === undefined ? httpRequest : httpsRequest, { ...options, ...tls });
    }
  }

  /** The place's connection; a new one after GOAWAY or its end. */
  #session(place: number): ClientHttp2Session {
    const known = this.#sessions[place];
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const session = this.#open();
    this.#sessions[place] = session;
    return session;
  }

  #open(): ClientHttp2Session {
    const { port, tls } = this.#options;
    const session = connect(`${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, tls);
    session.on('error', () => undefined);
    session.on('goaway', () => session.close());
    return session;
  }

  /** Sends no more, and waits for the outcome of all requests. */
  async stop(): Promise<readonly Result[]> {
    clearInterval(this.#timer);
    await new Promise<void>((resolve) => {
      if (this.#inFlight === 0) resolve();
      else this.#idle = resolve;
    });
    this.#agent.destroy();
    for (const session of this.#sessions) session?.destroy();
    return this.results;
  }
}

/** A request that ends once. */
class Exchange {
  readonly #result: Result;
  readonly #ended: () => void;
  readonly #timer: NodeJS.Timeout;
  #cancel = (): void => undefined;
  #text = '';

  constructor(result: Result, patience: number, ended: () => void) {
    this.#result = result;
    this.#ended = ended;
    this.#timer = setTimeout(() => {
      this.#end('no reply in time');
      this.#cancel();
    }, patience);
  }

  #end(cause: string | undefined): void {
    if (this.#result.took !== undefined) return;
    clearTimeout(this.#timer);
    this.#result.took = performance.now() - this.#result.at;
    this.#result.cause = cause;
    this.#ended();
  }

  #head(status: number, origin: unknown, retryAfter: unknown): void {
    this.#result.status = status;
    this.#result.origin = String(origin ?? '');
    this.#result.retryAfter = String(retryAfter ?? '');
  }

  #add(part: Buffer): void {
    if (this.#text.length < MOST_TEXT) this.#text += part.toString('latin1');
  }

  #whole(): void {
    const { status, origin } = this.#result;
    const type = /"type":\s*"urn:gw:problem:([^"]+)"/.exec(this.#text)?.[1];
    const what = type ?? (origin === '' ? 'without a problem' : 'of the target');
    this.#end(status < 400 ? undefined : `${status} ${what}`);
  }

  #broke(error: unknown, begun: boolean): void {
    const { code, message } = error as NodeJS.ErrnoException;
    this.#end(`${begun ? 'cut reply' : 'no reply'}: ${code ?? message}`);
  }

  overHttp1(send: typeof httpsRequest, options: RequestOptions): void {
    const request: ClientRequest = send(options, (response: IncomingMessage) => {
      this.#head(response.statusCode ?? 0, response.headers['x-origin'], response.headers['retry-after']);
      response.on('data', (part: Buffer) => this.#add(part));
      response.on('end', () => (response.complete ? this.#whole() : this.#end('cut reply: ended early')));
      response.on('error', (error) => this.#broke(error, true));
    });
    request.on('error', (error) => this.#broke(error, this.#result.status !== 0));
    this.#cancel = () => void request.destroy();
    request.end();
  }

  /** `last`: the connection closes after it. */
  overHttp2(session: ClientHttp2Session, fields: OutgoingHttpHeaders, last: boolean): void {
    const stream = session.request(fields, { endStream: true });
    this.#cancel = () => stream.close(constants.NGHTTP2_CANCEL);
    stream.on('response', (fields) => this.#head(Number(fields[':status']), fields['x-origin'], fields['retry-after']));
    stream.on('data', (part: Buffer) => this.#add(part));
    stream.on('end', () => {
      if (stream.rstCode === 0 && this.#result.status !== 0) this.#whole();
    });
    stream.on('error', (error) => this.#broke(error, this.#result.status !== 0));
    stream.on('close', () => {
      this.#end(`cut reply: reset with code ${stream.rstCode}`);
      if (last) session.close();
    });
  }
}
