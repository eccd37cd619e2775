/** What every format of a report is given besides the diagnostics and their files. */

export const FORMATS = ['pretty', 'json', 'sarif', 'github', 'junit'] as const;
export type Format = (typeof FORMATS)[number];

export interface RenderOptions {
  readonly color: boolean;
  /** Width of the terminal: source is cut and help is wrapped to fit. Left out: output does not go to a terminal. */
  readonly columns?: number | undefined;
  /** Paths are shown relative to this folder; left out: as the spans name them. */
  readonly base?: string;
  /** Warnings count as failures (JUnit, GitHub annotations). */
  readonly denyWarnings?: boolean;
  /** Paths of the checked specs: a JUnit report lists a spec without problems as passed. */
  readonly checked?: readonly string[];
}
