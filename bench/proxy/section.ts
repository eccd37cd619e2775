/** Results of a scenario: figures per round and line, their ratios, targets, and the table of all of them. */
import { median, type Table, verdict } from '../kit.js';
import type { Contestant } from './contestants.js';

/** The rounds of one contestant. */
export interface Line {
  readonly name: string;
  readonly version: string | undefined;
  /** Values by name of figure, one per round. */
  readonly figures: { readonly [name: string]: number[] };
  /** Why the line is void: the contestant did not start, or a reply was bad. Empty if the line is valid. */
  void: string;
}

export interface Column {
  readonly title: string;
  readonly figure: string;
  readonly digits: number;
  /** Also show the middle half of the rounds. */
  readonly spread?: boolean;
}

export interface Target {
  readonly text: string;
  readonly met: boolean;
  /** Undefined if a required line is void or missing. */
  readonly measured: number | undefined;
  readonly most: number;
}

export interface Section {
  readonly scenario: string;
  readonly title: string;
  readonly columns: readonly Column[];
  /** The figure that is compared, and the lines that it is compared with. */
  readonly lead: string;
  readonly against: readonly string[];
  readonly lines: readonly Line[];
  readonly targets: readonly Target[];
  readonly notes: readonly string[];
}

export const newLine = ({ name, version }: Contestant, failed = ''): Line => ({
  name,
  version,
  figures: {},
  void: failed,
});

export function note(line: Line, figure: string, value: number): void {
  const figures: { [name: string]: number[] } = line.figures;
  figures[figure] ??= [];
  figures[figure].push(value);
}

const usable = (line: Line | undefined, figure: string): readonly number[] | undefined =>
  line === undefined || line.void !== '' ? undefined : line.figures[figure];

/**
 * Median of the ratios within each round, not the ratio of medians: a disturbance that lasts a round affects both sides
 * and cancels out. Undefined if one side has no figures.
 */
export function paired(of: Line | undefined, to: Line | undefined, figure: string): number | undefined {
  const dividends = usable(of, figure);
  const divisors = usable(to, figure);
  if (!dividends?.length || dividends.length !== divisors?.length) return undefined;
  return median(dividends.map((value, round) => value / divisors[round]!));
}

/** Quantile of the values, with linear interpolation between neighbours. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  return below + (at - Math.floor(at)) * ((sorted[Math.ceil(at)] ?? below) - below);
}

/** Target: at most `most` times the figure of another line. Empty if that peer did not take part. */
export function targetOfRatio(
  lines: readonly Line[],
  of: string,
  to: string,
  most: number,
  figure = 'cpu',
): readonly Target[] {
  const other = lines.find(({ name }) => name === to);
  if (other === undefined) return [];
  const measured = paired(
    lines.find(({ name }) => name === of),
    other,
    figure,
  );
  const text = `${of} takes ${measured === undefined ? 'an unknown share' : `${measured.toFixed(2)}x`} of ${to}`;
  return [{ text: `${text} (at most ${most}x)`, met: measured !== undefined && measured <= most, measured, most }];
}

/** Target: at most `most`, in the unit of the figure. */
export function targetOfValue(line: Line | undefined, figure: string, most: number, unit: string): readonly Target[] {
  if (line === undefined) return [];
  const values = usable(line, figure);
  const measured = values?.length ? median(values) : undefined;
  const text = `${line.name}: ${measured === undefined ? 'unknown' : measured.toFixed(1)} ${unit}`;
  return [{ text: `${text} (at most ${most})`, met: measured !== undefined && measured <= most, measured, most }];
}

/** The section as a table for the report. */
export function tableOf(section: Section): Table {
  const { lines, against, columns, lead } = section;
  const peers = against.map((name) => lines.find((line) => line.name === name)).filter((line) => line !== undefined);
  return {
    title: section.title,
    columns: ['', ...columns.map(({ title }) => title), ...peers.map(({ name }) => `to ${name}`)],
    rows: lines.map((line) => {
      if (line.void !== '')
        return [line.name, `VOID: ${line.void}`, ...Array(columns.length - 1 + peers.length).fill('-')];
      const ratios = peers.map((peer) => paired(line, peer, lead)?.toFixed(2).concat('x') ?? '-');
      return [line.name, ...columns.map((column) => cell(line, column)), ...ratios];
    }),
    notes: [...section.targets.map(({ met, text }) => verdict(met, text)), ...section.notes],
  };
}

function cell({ figures }: Line, { figure, digits, spread }: Column): string {
  const values = figures[figure];
  if (!values?.length) return '-';
  const shown = median(values).toFixed(digits);
  if (!spread || values.length < 2) return shown;
  return `${shown} (${quantile(values, 0.25).toFixed(digits)}-${quantile(values, 0.75).toFixed(digits)})`;
}
