/** The CI workflow that `gw init` writes: it installs the same gw, validates the spec and runs the example test. */
import { existsSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { packageCopy } from './copy.js';
import { type Installation, PACKAGE_ROOT } from './installation.js';
import type { PlannedFile } from './write.js';

export const WORKFLOW = '.github/workflows/gateway.yml';
/** Not `.tgz`: many projects keep that name out of their repository. */
export const COPY = '.github/gw.tar.gz';

/**
 * @param template text of the workflow, with `# INSTALL` and `GW` to fill in
 * @param below where the project is in its repository, with slashes; empty for its root
 */
export function workflowFiles(
  template: string,
  { ci }: Installation,
  version: string,
  below: string,
): readonly PlannedFile[] {
  const text = template
    .replace('      # INSTALL\n', () => installStep(ci, version))
    .replace('run: GW ', ci === 'project' ? 'run: npx gw ' : 'run: gw ')
    .replace('    steps:\n', (steps) =>
      below === '' ? steps : `    defaults:\n      run:\n        working-directory: ${JSON.stringify(below)}\n${steps}`,
    );
  const workflow: PlannedFile = { path: WORKFLOW, content: text };
  return ci === 'copy' ? [workflow, { path: COPY, content: packageCopy(PACKAGE_ROOT) }] : [workflow];
}

function installStep(ci: Installation['ci'], version: string): string {
  const run = (comment: string, command: string): string => `      # ${comment}\n      - run: ${command}\n`;
  if (ci === 'project') return run('gw is a dependency of the project.', 'npm install');
  if (ci === 'copy') {
    const comment = `gw ${version}. To upgrade, replace the file with what \`npm pack\` makes of a newer gw.`;
    return run(comment, `npm install --global ./${COPY}`);
  }
  return run('The gw that wrote this file.', `npm install --global ${JSON.stringify(ci.package)}`);
}

/** Where `folder` is in its git repository, with slashes: empty for the root, undefined outside of any. */
export function placeInRepository(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return relative(at, folder).split(sep).join('/');
    if (dirname(at) === at) return undefined;
  }
}
