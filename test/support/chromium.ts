/** Headless Chromium over the DevTools protocol, where it is installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { until } from './until.js';

type Json = Record<string, unknown>;

/** Milliseconds for an answer: a page that gives way to another one may owe it for ever. */
const ANSWER = 15_000;

/** Path of the browser; undefined if there is none. */
export function chromiumPath(): string | undefined {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    if (found.status === 0) return found.stdout.trim();
  }
  return undefined;
}

export class Chromium {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve(result: Json): void; reject(error: Error): void }>();
  #id = 0;

  private constructor(process: ChildProcess, folder: string, socket: WebSocket) {
    this.#process = process;
    this.#folder = folder;
    this.#socket = socket;
    socket.on('message', (data) => this.#take(JSON.parse(String(data)) as Json));
  }

  static async start(path: string): Promise<Chromium> {
    const folder = mkdtempSync(join(tmpdir(), 'gw-chromium-'));
    const options = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
    const more = [
      '--ignore-certificate-errors',
      '--remote-debugging-port=0',
      `--user-data-dir=${folder}`,
      'about:blank',
    ];
    // A group of its own, so that close() ends its helper processes too: they write into the folder.
    const child = spawn(path, [...options, ...more], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    const url = await new Promise<string>((resolve, reject) => {
      let text = '';
      const timer = setTimeout(() => reject(new Error(`chromium does not start: ${text.slice(0, 500)}`)), 30_000);
      child.stderr.on('data', (part: Buffer) => {
        text += String(part);
        const found = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
        if (found === undefined) return;
        clearTimeout(timer);
        resolve(found);
      });
      child.on('exit', () => reject(new Error(`chromium has ended: ${text.slice(0, 500)}`)));
    });
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    return new Chromium(child, folder, socket);
  }

  #take({ id, result, error }: Json): void {
    const waiting = typeof id === 'number' ? this.#waiting.get(id) : undefined;
    if (waiting === undefined) return;
    this.#waiting.delete(id as number);
    if (error === undefined) waiting.resolve((result ?? {}) as Json);
    else waiting.reject(new Error(JSON.stringify(error)));
  }

  send(method: string, params: Json = {}, sessionId?: string): Promise<Json> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`chromium does not answer ${method}`));
      }, ANSWER);
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          how(value);
        };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    });
  }

  async tab(url?: string): Promise<Tab> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const tab = new Tab(this, String(sessionId));
    if (url !== undefined) await tab.open(url);
    return tab;
  }

  async close(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#process;
    const runs = pid !== undefined && exitCode === null && signalCode === null;
    const ended = runs ? new Promise((resolve) => this.#process.once('exit', resolve)) : undefined;
    this.#socket.close();
    if (runs) process.kill(-pid, 'SIGKILL');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export class Tab {
  readonly #browser: Chromium;
  readonly #session: string;

  constructor(browser: Chromium, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  async open(url: string): Promise<void> {
    await this.#browser.send('Page.navigate', { url }, this.#session);
    await this.settled();
  }

  /** The value of an expression in the page. */
  async value(expression: string): Promise<unknown> {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { exceptionDetails, result } = await this.#browser.send('Runtime.evaluate', options, this.#session);
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as Json)['value'];
  }

  /** Runs a statement that leads to another page: later, so that this page still answers. */
  async leave(statement: string): Promise<void> {
    await this.value(`setTimeout(() => { ${statement} }, 0); 0`);
  }

  /** Until the page is complete. */
  settled(): Promise<void> {
    return this.#until(`document.readyState === 'complete'`);
  }

  /** Until the URL of the page begins with a text. */
  async at(prefix: string): Promise<void> {
    await this.#until(`location.href.startsWith(${JSON.stringify(prefix)}) && document.readyState === 'complete'`);
  }

  /** While a page gives way to another one, it cannot be asked. */
  async #until(expression: string): Promise<void> {
    const holds = async (): Promise<boolean> => (await this.value(expression).catch(() => false)) === true;
    await until(holds, expression, 30_000);
  }

  async text(): Promise<string> {
    return String(await this.value('document.body.innerText'));
  }

  /** Cookies that the browser has for a URL. */
  async cookies(url: string): Promise<readonly Json[]> {
    const { cookies } = await this.#browser.send('Network.getCookies', { urls: [url] }, this.#session);
    return cookies as readonly Json[];
  }
}
