/** How this gw was installed: the words that run it again, for people and for CI. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errnoCode } from '../../reason.js';
import { shellWord } from '../shell-word.js';

/** The folder of gw's own package.json. */
export const PACKAGE_ROOT = fileURLToPath(new URL('../../../../', import.meta.url)).replace(/[\\/]$/, '');

export interface Installation {
  /** What a person types for `gw`. */
  readonly command: string;
  /** Runs the example test from the project's folder. */
  readonly test: string;
  /**
   * What CI installs. `project`: the dependencies of the project, which name gw. A package: what npm takes as one, from a
   * registry or a URL. `copy`: a copy of this gw in the repository, because no server is known to have it.
   */
  readonly ci: 'project' | 'copy' | { readonly package: string };
}

/**
 * @param folder absolute path of the project that `gw init` writes
 * @param root the folder of gw's package.json
 */
export function installationFor(
  folder: string,
  env: NodeJS.ProcessEnv,
  version: string,
  root = PACKAGE_ROOT,
): Installation {
  const own = projectWith(root, folder);
  const ci = own !== undefined && isWithin(own.folder, own.spec) ? 'project' : 'copy';
  if (isOnPath(root, env)) return { command: 'gw', test: 'node --test gateway.test.mjs', ci };
  if (own !== undefined) return { command: 'npx gw', test: 'node --test gateway.test.mjs', ci };
  const fetched = fetchedByNpx(root);
  if (fetched !== undefined) {
    const spec = isLocal(fetched.spec) ? resolve(fetched.folder, fetched.spec.replace(/^file:/, '')) : fetched.spec;
    const exact = /^[~^]?\d/.test(spec) ? `gw@${version}` : spec;
    const npx = `npx --yes --package=${shellWord(exact)}`;
    return {
      command: `${npx} gw`,
      test: `${npx} -- node --test gateway.test.mjs`,
      ci: isLocal(fetched.spec) ? 'copy' : { package: exact },
    };
  }
  const program = shellWord(join(root, 'bin', 'gw.js'));
  return { command: `node ${program}`, test: `GW=${program} node --test gateway.test.mjs`, ci };
}

/** Whether `gw` in a shell is this gw. npm and npx put folders of their own in front, which the next shell does not have. */
function isOnPath(root: string, env: NodeJS.ProcessEnv): boolean {
  const program = realpathSync(join(root, 'bin', 'gw.js'));
  const folders = (env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !/node_modules[\\/]\.bin[\\/]?$/.test(folder));
  const first = folders.map((folder) => join(folder, 'gw')).find(existsSync);
  return first !== undefined && realpathSync(first) === program;
}

interface Dependent {
  /** Where its package.json is. */
  readonly folder: string;
  /** What its package.json says of gw: a version, a URL, `file:gw.tgz`. */
  readonly spec: string;
}

/** The project, at or above `folder`, that depends on the gw at `root`. */
function projectWith(root: string, folder: string): Dependent | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const spec = dependencyIn(at);
    const installed = join(at, 'node_modules', 'gw');
    if (spec !== undefined && existsSync(installed) && realpathSync(installed) === realpathSync(root)) {
      return { folder: at, spec };
    }
    if (dirname(at) === at) return undefined;
  }
}

/** npx installs into a project of its own in npm's cache: `_npx/HASH/node_modules/gw`. */
function fetchedByNpx(root: string): Dependent | undefined {
  const folder = dirname(dirname(root));
  if (!folder.split(sep).includes('_npx')) return undefined;
  const spec = dependencyIn(folder);
  return spec === undefined ? undefined : { folder, spec };
}

function dependencyIn(folder: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, 'package.json'), 'utf8');
  } catch (error) {
    if (errnoCode(error) !== undefined) return undefined;
    throw error;
  }
  try {
    const { dependencies, devDependencies } = JSON.parse(text) as Record<string, Record<string, unknown> | undefined>;
    const spec = devDependencies?.['gw'] ?? dependencies?.['gw'];
    return typeof spec === 'string' ? spec : undefined;
  } catch {
    // Not JSON, or null: npm cannot install from it either.
    return undefined;
  }
}

const isLocal = (spec: string): boolean => /^(file|link):|^[./~]|^[a-z]:[\\/]/i.test(spec);

/** Whether a checkout of the project has what its package.json says of gw. */
function isWithin(folder: string, spec: string): boolean {
  if (!isLocal(spec)) return true;
  if (spec.startsWith('link:')) return false;
  const path = relative(folder, resolve(folder, spec.replace(/^file:/, '')));
  return !path.startsWith('..') && !isAbsolute(path);
}
