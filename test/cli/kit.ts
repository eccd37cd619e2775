/** Runs commands in this process, with separate streams and a temporary folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { Io } from '../../src/cli/io.js';
import { commandNames, run } from '../../src/cli/main.js';

export class Sink extends Writable {
  text = '';
  constructor(
    readonly isTTY: boolean = false,
    readonly columns: number = 80,
  ) {
    super();
  }
  // What a spinner needs from a terminal.
  cursorTo(): boolean {
    return true;
  }
  clearLine(): boolean {
    return true;
  }
  moveCursor(): boolean {
    return true;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface GwOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly tty?: boolean;
  readonly color?: boolean;
  /** The content of standard input. */
  readonly stdin?: string | Uint8Array;
  /** The width of the terminal. */
  readonly columns?: number;
}

/** Runs `gw ...argv`. */
export async function gw(argv: readonly string[], options: GwOptions = {}): Promise<Ran> {
  const stdout = new Sink(options.tty, options.columns);
  const stderr = new Sink(options.tty);
  const io = new Io({
    stdout,
    stderr,
    env: options.env ?? {},
    cwd: options.cwd ?? process.cwd(),
    color: options.color,
    quiet: argv.includes('--quiet') || argv.includes('-q'),
    stdin: () => Readable.from([Buffer.from(options.stdin ?? '')]),
  });
  const code = await run(argv, io);
  return { code, out: stdout.text, err: stderr.text };
}

/** Runs `use` with a folder of these files, then removes it. */
export async function inFolder<T>(
  files: Readonly<Record<string, string>>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'gw-cli-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Commands that help and completion list. */
export async function listedCommands(): Promise<string[]> {
  const { out } = await gw(['--help']);
  return commandNames().filter((name) => new RegExp(`^  ${name} `, 'm').test(out));
}
