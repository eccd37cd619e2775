/** Glyphs and tones, by what the terminal supports and the environment allows. Colour is never the only signal. */

export type Tone = 'plain' | 'dim' | 'title' | 'accent' | 'good' | 'warn' | 'bad' | 'chart' | 'key' | 'alert';

/** Of what is used of a limit. */
export function usedTone(used: number, capacity: number): Tone {
  if (used >= capacity) return 'bad';
  return used >= capacity * 0.8 ? 'warn' : 'good';
}

export interface Glyphs {
  /** Empty, then growing to a full cell. */
  readonly columns: readonly string[];
  /** A cell's fill from the left, growing to full. */
  readonly bar: readonly string[];
  readonly track: string;
  readonly ellipsis: string;
  readonly marker: string;
  readonly good: string;
  readonly bad: string;
  readonly warn: string;
  readonly busy: string;
  readonly paused: string;
  readonly restarts: string;
  readonly descending: string;
  readonly ascending: string;
  readonly arrow: string;
  readonly dot: string;
  readonly cursor: string;
  readonly box: {
    readonly topLeft: string;
    readonly topRight: string;
    readonly bottomLeft: string;
    readonly bottomRight: string;
    readonly left: string;
    readonly right: string;
    readonly side: string;
    readonly line: string;
  };
}

export const UNICODE: Glyphs = {
  columns: [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
  bar: ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'],
  track: '·',
  ellipsis: '…',
  marker: '▸',
  good: '●',
  bad: '✗',
  warn: '▲',
  busy: '◌',
  paused: '‖',
  restarts: '↻',
  descending: '▼',
  ascending: '▲',
  arrow: '→',
  dot: '·',
  cursor: '█',
  box: {
    topLeft: '╭',
    topRight: '╮',
    bottomLeft: '╰',
    bottomRight: '╯',
    left: '├',
    right: '┤',
    side: '│',
    line: '─',
  },
};

export const ASCII: Glyphs = {
  columns: [' ', '.', ':', '|'],
  bar: ['#'],
  track: '.',
  ellipsis: '~',
  marker: '>',
  good: '+',
  bad: 'x',
  warn: '!',
  busy: 'o',
  paused: '=',
  restarts: 'x',
  descending: 'v',
  ascending: '^',
  arrow: '->',
  dot: '-',
  cursor: '_',
  box: {
    topLeft: '+',
    topRight: '+',
    bottomLeft: '+',
    bottomRight: '+',
    left: '+',
    right: '+',
    side: '|',
    line: '-',
  },
};

export interface Theme {
  readonly glyphs: Glyphs;
  /** Text beside glyphs has to be ASCII too. */
  readonly ascii: boolean;
  readonly colour: boolean;
  /** The age of stale data, such as `stale 7s`; everything is dimmed then. Undefined for current data. */
  readonly stale?: string | undefined;
}

/** By the POSIX order LC_ALL, LC_CTYPE, LANG; the Linux console has no block glyphs whatever its locale says. */
export function terminalIsUnicode(env: NodeJS.ProcessEnv): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return /utf-?8/i.test(locale) && env['TERM'] !== 'linux' && env['TERM'] !== 'dumb';
}

/** https://no-color.org: any value that is not empty. */
export function themeFor(env: NodeJS.ProcessEnv, options: { ascii?: boolean } = {}): Theme {
  const ascii = options.ascii === true || !terminalIsUnicode(env);
  return { glyphs: ascii ? ASCII : UNICODE, ascii, colour: !env['NO_COLOR'] && env['TERM'] !== 'dumb' };
}

export interface Style {
  readonly color?: string;
  readonly bold?: boolean;
  readonly dimColor?: boolean;
}

const COLOURED: Readonly<Record<Tone, Style>> = {
  plain: {},
  dim: { dimColor: true },
  title: { bold: true },
  accent: { color: 'cyan' },
  good: { color: 'green' },
  warn: { color: 'yellow' },
  bad: { color: 'red', bold: true },
  chart: { color: 'green' },
  key: { color: 'cyan', bold: true },
  alert: { color: 'yellow', bold: true },
};

const PLAIN: Readonly<Record<Tone, Style>> = {
  plain: {},
  dim: { dimColor: true },
  title: { bold: true },
  accent: {},
  good: {},
  warn: { bold: true },
  bad: { bold: true },
  chart: {},
  key: { bold: true },
  alert: { bold: true },
};

/** Stale data is never green. `alert`, which shows its age, and the keys keep their colours. */
export function styleOf(tone: Tone, theme: Theme): Style {
  const style = (theme.colour ? COLOURED : PLAIN)[tone];
  if (theme.stale === undefined || tone === 'alert' || tone === 'key') return style;
  return (tone === 'warn' || tone === 'bad') && style.color !== undefined
    ? { color: style.color, dimColor: true }
    : { dimColor: true };
}
