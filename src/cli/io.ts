/** What a command may touch of the terminal and the process: so that tests run commands without a process of their own. */
import type { Writable } from 'node:stream';

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
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** What `--color` and `--no-color` said; undefined when neither was given. */
  readonly color?: boolean | undefined;
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

  constructor(options: IoOptions) {
    this.stdout = options.stdout;
    this.stderr = options.stderr;
    this.env = options.env;
    this.cwd = options.cwd;
    this.color = options.color ?? takesColor(options.stdout, options.env);
    this.errorColor = options.color ?? takesColor(options.stderr, options.env);
  }

  /** Columns of the terminal; undefined when the output is no terminal and lines may be as long as they are. */
  get columns(): number | undefined {
    return this.stdout.isTTY ? this.stdout.columns : undefined;
  }

  /** Writes to standard output as it is. */
  write(text: string): void {
    this.stdout.write(text);
  }

  /** A line on standard output. */
  line(text = ''): void {
    this.stdout.write(`${text}\n`);
  }

  /** A line on standard error: what is said to people beside a command's output. */
  note(text = ''): void {
    this.stderr.write(`${text}\n`);
  }

  /** JSON for programs; the value carries its own `version`. */
  json<T extends { readonly version: number }>(value: T): void {
    this.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** Styles text for standard output; as it is where that takes no colour. */
  paint(style: Style, text: string): string {
    return this.color ? styled(style, text) : text;
  }

  /** Styles text for standard error. */
  paintError(style: Style, text: string): string {
    return this.errorColor ? styled(style, text) : text;
  }

  /**
   * Runs `work` and shows a spinner on standard error once it has taken 300 ms, on a terminal only. Work that holds the
   * event loop should `await breathe()` between its parts, or the spinner has no moment to show itself.
   */
  async spin<T>(text: string, work: () => Promise<T>): Promise<T> {
    if (!this.stderr.isTTY || this.env['CI'] !== undefined) return work();
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

/** NO_COLOR (no-color.org) beats FORCE_COLOR; without either, colour is for terminals that are not `dumb`. */
function takesColor(output: Output, env: NodeJS.ProcessEnv): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return output.isTTY === true && env['TERM'] !== 'dumb';
}
