/** What a command may use of the terminal and the process. Tests run commands with an Io of their own. */
import { Readable, type Writable } from 'node:stream';

/** Standard input: a stream of bytes. */
export type Input = Readable & { readonly isTTY?: boolean };

export interface Output extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan';

const STYLES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
};

export interface IoOptions {
  /** Opened by the command that reads it. Default: an empty stream. */
  readonly stdin?: () => Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** The choice of `--color` or `--no-color`; undefined when neither was given. */
  readonly color?: boolean | undefined;
  /** `--quiet`: results and errors only. */
  readonly quiet?: boolean | undefined;
}

/** Work shorter than this shows no spinner. Milliseconds. */
const SPINNER_AFTER = 300;

export class Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Whether standard output takes colour. */
  readonly color: boolean;
  /** Whether standard error takes colour. */
  readonly errorColor: boolean;
  /** `info` and `note` print nothing. */
  readonly quiet: boolean;
  readonly #openStdin: () => Input;

  constructor(options: IoOptions) {
    this.stdout = options.stdout;
    this.stderr = options.stderr;
    this.env = options.env;
    this.cwd = options.cwd;
    this.color = options.color ?? takesColor(options.stdout, options.env);
    this.errorColor = options.color ?? takesColor(options.stderr, options.env);
    this.quiet = options.quiet ?? false;
    this.#openStdin = options.stdin ?? (() => Readable.from([]));
  }

  get stdin(): Input {
    return this.#openStdin();
  }

  /** Columns of the terminal; undefined when standard output is not a terminal: then lines are not cut or wrapped. */
  get columns(): number | undefined {
    return this.stdout.isTTY ? this.stdout.columns : undefined;
  }

  /** The same for standard error. */
  get errorColumns(): number | undefined {
    return this.stderr.isTTY ? this.stderr.columns : undefined;
  }

  /** Writes the text to standard output unchanged. */
  write(text: string): void {
    this.stdout.write(text);
  }

  /** A line on standard output. */
  line(text = ''): void {
    this.stdout.write(`${text}\n`);
  }

  /** A line on standard output that reports success; none with `--quiet`. */
  info(text = ''): void {
    if (!this.quiet) this.line(text);
  }

  /** A line on standard error beside a command's output; none with `--quiet`. */
  note(text = ''): void {
    if (!this.quiet) this.stderr.write(`${text}\n`);
  }

  /** A line on standard error, with `--quiet` too: an error. */
  error(text: string): void {
    this.stderr.write(`${text}\n`);
  }

  /** JSON for programs; the value carries its own `version`. */
  json<T extends { readonly version: number }>(value: T): void {
    this.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** Styles text for standard output, if that takes colour. */
  paint(style: Style, text: string): string {
    return this.color ? styled(style, text) : text;
  }

  /** Styles text for standard error, if that takes colour. */
  paintError(style: Style, text: string): string {
    return this.errorColor ? styled(style, text) : text;
  }

  /**
   * Runs `work` and shows a spinner on standard error once it has taken 300 ms, on a terminal only. Work that blocks the
   * event loop should `await breathe()` between its parts, so that the spinner can be drawn.
   */
  async spin<T>(text: string, work: () => Promise<T>): Promise<T> {
    if (this.quiet || !this.stderr.isTTY || this.env['CI'] !== undefined) return work();
    let stop = (): void => {};
    let done = false;
    const timer = setTimeout(async () => {
      const { default: ora } = await import('ora');
      if (done) return;
      const spinner = ora({ text, stream: this.stderr as NodeJS.WriteStream, discardStdin: false }).start();
      stop = () => spinner.stop();
    }, SPINNER_AFTER);
    try {
      return await work();
    } finally {
      done = true;
      clearTimeout(timer);
      stop();
    }
  }
}

/** Lets timers that are due run before the next piece of synchronous work. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function styled(style: Style, text: string): string {
  const [on, off] = STYLES[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

/** NO_COLOR (no-color.org) overrides FORCE_COLOR; without either, terminals that are not `dumb` get colour. */
function takesColor(output: Output, env: NodeJS.ProcessEnv): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return output.isTTY === true && env['TERM'] !== 'dumb';
}
