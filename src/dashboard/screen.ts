/**
 * Owns the terminal while the dashboard shows: the alternate screen, and what is on it. Ink renders whole frames into
 * `frames`; of each, only the lines that changed are written, so that nothing flickers and a slow line (ssh) skips frames
 * instead of lagging behind.
 */
import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { width } from './text.js';

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
/** Terminals that know synchronized output show what is between these at once; the others ignore them. */
const BEGIN = '\x1b[?2026h';
const END = '\x1b[?2026l';

export interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/** Takes Ink's frames. It has the terminal's size but is not a TTY, so that Ink writes no codes of its own. */
class FrameSink extends Writable {
  readonly isTTY = false;

  constructor(
    readonly terminal: Terminal,
    readonly show: (frame: string) => void,
  ) {
    super({ decodeStrings: false });
  }

  get columns(): number {
    return this.terminal.columns ?? 80;
  }

  get rows(): number {
    return this.terminal.rows ?? 24;
  }

  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    this.show(String(chunk));
    done();
  }
}

export class Screen {
  /** What Ink writes its frames to. */
  readonly frames: NodeJS.WriteStream;
  readonly #terminal: Terminal;
  #shown: string[] = [];
  /** The newest frame of Ink's. */
  #frame = '';
  #active = false;
  #blocked = false;
  #scheduled = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.frames = new FrameSink(terminal, (frame) => this.#take(frame)) as Writable as NodeJS.WriteStream;
  }

  /** Goes to the alternate screen. */
  enter(): void {
    if (this.#active) return;
    this.#active = true;
    this.#shown = [];
    this.#terminal.write(ENTER);
    this.#schedule();
  }

  /** Gives the terminal back as it was; may be called at any time, from signal and exit handlers too. */
  leave(): void {
    if (!this.#active) return;
    this.#active = false;
    this.#terminal.write(`\x1b[0m${LEAVE}`);
  }

  /** Draws every line again: after a resize, or when something else has written over the screen. */
  repaint(): void {
    this.#shown = [];
    if (this.#active) this.#terminal.write('\x1b[2J');
    this.#schedule();
  }

  #take(frame: string): void {
    this.#frame = frame;
    this.#schedule();
  }

  /** Commits of one turn of the event loop become one write. */
  #schedule(): void {
    if (this.#scheduled || this.#blocked || !this.#active) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#paint();
    });
  }

  #paint(): void {
    if (!this.#active) return;
    const rows = this.#terminal.rows ?? 24;
    const columns = this.#terminal.columns ?? 80;
    const lines = this.#frame.split('\n').slice(0, rows);
    let out = '';
    for (let row = 0; row < Math.max(lines.length, this.#shown.length); row++) {
      const line = lines[row] ?? '';
      if (line === this.#shown[row]) continue;
      // After a line that fills its row the cursor is on the last cell: erasing would clear that cell.
      const full = width(stripVTControlCharacters(line)) >= columns;
      out += `\x1b[${row + 1};1H${line}\x1b[0m${full ? '' : '\x1b[K'}`;
    }
    this.#shown = lines;
    if (out === '' || this.#terminal.write(BEGIN + out + END)) return;
    this.#blocked = true;
    this.#terminal.once('drain', () => {
      this.#blocked = false;
      this.#schedule();
    });
  }
}
