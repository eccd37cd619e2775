/** Shared by all benchmarks: contestants in interleaved rounds, medians, optional peers, tables. */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seededBelow } from '../test/support/random.js';

/** The default export of each benchmark file in this folder; `npm run bench -- NAME` finds it by name. */
export interface Benchmark {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** Parts that can be run separately, if any. */
  readonly scenarios?: readonly { readonly name: string; readonly summary: string }[];
  run(options: BenchOptions): Promise<Report>;
}

export interface BenchOptions {
  /** Interleaved rounds; the median of each contestant counts. Undefined: the default of the benchmark. */
  readonly rounds: number | undefined;
  /** Names of scenarios; empty: all of them. */
  readonly scenarios: readonly string[];
  /** A short run that only checks that everything works. */
  readonly quick: boolean;
  /** Reports progress to the terminal. */
  progress(text: string): void;
}

export interface Report {
  readonly title: string;
  readonly tables: readonly Table[];
  /** Targets with their results, sizes, skipped parts. */
  readonly notes: readonly string[];
  readonly peers: { readonly found: readonly string[]; readonly missing: readonly string[] };
  /** All figures, for machines. */
  readonly data?: object;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  readonly notes?: readonly string[];
}

/** One of several implementations of the same work; `measure` returns nanoseconds per unit of work. */
export interface Contestant {
  readonly name: string;
  measure(): number;
}

export interface Standing {
  readonly name: string;
  readonly median: number;
  readonly all: readonly number[];
}

/** Default number of rounds that count. */
const ROUNDS = 5;

/**
 * Measures every contestant once per round. Each round begins with a different contestant, so a disturbance of the
 * machine affects all of them equally. The first round is a warm-up and does not count.
 */
export function interleave(contestants: readonly Contestant[], rounds: number = ROUNDS): Standing[] {
  const times = contestants.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    for (let i = 0; i < contestants.length; i++) {
      const at = (i + round) % contestants.length;
      const time = contestants[at]!.measure();
      if (round > 0) times[at]!.push(time);
    }
  }
  return contestants.map(({ name }, i) => ({ name, median: median(times[i]!), all: times[i]! }));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Nanoseconds that `work` takes. */
export function timed(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start);
}

/** Collects all garbage. */
export const collect = exposeGc();

function exposeGc(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

/** Nanoseconds that `work` takes, measured after a garbage collection. */
export function timedClean(work: () => void): number {
  collect();
  return timed(work);
}

/** The packages that gw is compared with, from bench/node_modules; they are not dependencies of gw. */
export class Peers {
  readonly found: string[] = [];
  readonly missing: string[] = [];
  readonly #require = createRequire(resolve('bench/package.json'));

  /** Imports a package and records it as found or missing; undefined if it is not installed. */
  async load(name: string): Promise<unknown> {
    let path: string;
    try {
      path = this.#require.resolve(name);
    } catch {
      this.missing.push(name);
      return undefined;
    }
    this.found.push(`${name} ${this.#version(name)}`);
    return import(pathToFileURL(path).href);
  }

  /** Path of a file in an installed package; undefined if the package is not installed. */
  file(name: string, path: string): string | undefined {
    try {
      const found = resolve(this.#require.resolve(`${name}/package.json`), '..', path);
      if (!this.found.some((known) => known.startsWith(`${name} `))) this.found.push(`${name} ${this.#version(name)}`);
      return found;
    } catch {
      if (!this.missing.includes(name)) this.missing.push(name);
      return undefined;
    }
  }

  #version(name: string): string {
    const described: { readonly version: string } = this.#require(`${name}/package.json`);
    return described.version;
  }
}

export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const next = seededBelow(seed);
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const k = next(i + 1);
    const held = copy[i]!;
    copy[i] = copy[k]!;
    copy[k] = held;
  }
  return copy;
}

export const ratio = (a: number, b: number): string => `${(a / b).toFixed(2)}x`;

/** `target met: ...` or `target MISSED: ...`. */
export const verdict = (met: boolean, text: string): string => `${met ? 'target met' : 'target MISSED'}: ${text}`;

export function markdown(report: Report): string {
  const lines = [`# ${report.title}`, ''];
  for (const { title, columns, rows, notes } of report.tables) {
    lines.push(`## ${title}`, '');
    if (rows.length > 0) {
      lines.push(`| ${columns.join(' | ')} |`, `|${columns.map((_, i) => (i === 0 ? '---|' : '---:|')).join('')}`);
      for (const row of rows) lines.push(`| ${row.join(' | ')} |`);
      lines.push('');
    }
    for (const note of notes ?? []) lines.push(`- ${note}`);
    if (notes?.length) lines.push('');
  }
  for (const note of report.notes) lines.push(`- ${note}`);
  lines.push(`- peers found: ${report.peers.found.join(', ') || 'none'}`);
  lines.push(`- peers not installed: ${report.peers.missing.join(', ') || 'none'}`);
  return `${lines.join('\n')}\n`;
}
