/** Targets in processes of their own, that a drill kills, freezes and starts again. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Behavior } from './origin.js';

const SCRIPT = fileURLToPath(new URL('./origin.js', import.meta.url));

export class Origin {
  /** Of HTTP/1.1 and of HTTP/2; the same after each start. */
  ports: readonly [number, number] = [0, 0];
  readonly #name: string;
  readonly #delayMs: number;
  readonly #host: string;
  #child: ChildProcess | undefined;

  constructor(name: string, delayMs: number, host = '127.0.0.1') {
    this.#name = name;
    this.#delayMs = delayMs;
    this.#host = host;
  }

  /** Resolves when both ports are open. */
  async start(): Promise<void> {
    const words = [this.#name, this.#host, ...this.ports, this.#delayMs].map(String);
    const child = fork(SCRIPT, words, { execArgv: [] });
    this.#child = child;
    const [ports] = (await once(child, 'message')) as [[number, number]];
    this.ports = ports;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Resolves when the process has ended: its ports are closed. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async behave(behavior: Behavior): Promise<void> {
    const heard = once(this.#child!, 'message');
    this.#child!.send(behavior);
    await heard;
  }

  get urls(): readonly [string, string] {
    return [`http://${this.#host}:${this.ports[0]}`, `http://${this.#host}:${this.ports[1]}`];
  }
}

/** Starts one for each name. `delayMs`: how long their replies take. */
export async function startOrigins(names: readonly string[], delayMs = 10): Promise<readonly Origin[]> {
  const origins = names.map((name) => new Origin(name, delayMs));
  await Promise.all(origins.map((origin) => origin.start()));
  return origins;
}
