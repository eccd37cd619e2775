/** Clients for tasks that wrk cannot do; each is a process on the core of the load generator. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pinned } from './processes.js';
import type { Setting } from './setting.js';

type Script =
  | 'idle-client'
  | 'stream-client'
  | 'pace-client'
  | 'protocols/handshake-client'
  | 'protocols/websocket-client';

/** A client process that prints lines of JSON and ends at the end of its input. */
export class Client {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  /** `task` is the argument of the script; the script describes its fields. */
  constructor(setting: Setting, script: Script, task: object) {
    const path = fileURLToPath(new URL(`${script}.js`, import.meta.url));
    // This client polls the clock all the time; the origin on the same core must have priority.
    const yielding = script === 'pace-client';
    const [command, args] = pinned(setting.loadCore, [process.execPath, path, JSON.stringify(task)], yielding);
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The next line of output, parsed. @throws if the process ended. */
  async answer(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('a client of the benchmark ended early');
    return JSON.parse(value);
  }

  /** Sends a line and returns the answer. */
  ask(question: string | number): Promise<unknown> {
    this.#child.stdin.write(`${question}\n`);
    return this.answer();
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.stdin.end();
    await once(this.#child, 'exit');
  }
}

/** Runs a client that gives one answer. */
export async function ask(setting: Setting, script: Script, task: object): Promise<unknown> {
  const client = new Client(setting, script, task);
  try {
    return await client.answer();
  } finally {
    await client.close();
  }
}

/** A number from an answer. @throws if there is no number of that name. */
export function numberIn(answer: unknown, name: string): number {
  const value =
    typeof answer === 'object' && answer !== null ? Object.entries(answer).find(([key]) => key === name) : undefined;
  if (typeof value?.[1] !== 'number') throw new Error(`no ${name} in ${JSON.stringify(answer)}`);
  return value[1];
}
