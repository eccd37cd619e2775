/** The code of custom policies and actions in a bundle. Plain data. */

/** One CommonJS module with everything that it imports. */
export interface CodeEntry {
  /** File or package, as `use` names it. */
  readonly use: string;
  /** Of the code. */
  readonly sha256: string;
  readonly bytes: number;
}

/** Code by its sha256. */
export type CodeTexts = ReadonlyMap<string, string>;
