/** The folder of a project, and the tests of its policies. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Io } from '../io.js';

/** The folder of the nearest gateway.toml from the working directory up, or the working directory. */
export function projectFolder(io: Io): string {
  for (let folder = resolve(io.cwd); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'gateway.toml'))) return folder;
    if (folder === dirname(folder)) return resolve(io.cwd);
  }
}

export interface TestFile {
  /** Absolute. */
  readonly path: string;
  /** Relative to the project. */
  readonly shown: string;
}

const TEST = /\.test\.[cm]?[jt]s$/;

/** The test files in policies/, or the one of a policy. */
export function testFiles(root: string, name: string | undefined): readonly TestFile[] {
  const folder = join(root, 'policies');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => TEST.test(file) && (name === undefined || file.replace(TEST, '') === name))
    .sort()
    .map((file) => ({ path: join(folder, file), shown: `policies/${file}` }));
}
