/** Installs missing dependencies and builds changed sources, so that a fresh clone needs one command. Node's own modules only. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const DIST = join(ROOT, 'dist');
const SOURCES = ['src', 'test', 'bench'];

/** Runs a program in the repository's root. If it fails, this process ends with its exit code. */
export function must(command, args, options = {}) {
  const { status, signal, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? (signal ? 1 : 0));
}

const modified = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

/** `npm ci` when node_modules is missing or older than the lockfile. npm writes node_modules/.package-lock.json last. */
export function ensureInstalled() {
  const installed = modified(join(ROOT, 'node_modules', '.package-lock.json'));
  if (installed > 0 && installed >= modified(join(ROOT, 'package-lock.json'))) return;
  console.error('Installing dependencies (npm ci) ...');
  must('npm', ['ci', '--no-audit', '--no-fund'], { shell: process.platform === 'win32' });
}

function* files(folder, suffix) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules') yield* files(path, suffix);
    else if (suffix.test(entry.name)) yield path;
  }
}

/** Removes files from dist whose source no longer exists: the CLI finds its commands by these files. */
function prune() {
  for (const folder of SOURCES) {
    for (const path of files(join(DIST, folder), /\.(js|d\.ts)(\.map)?$/)) {
      const stem = join(ROOT, relative(DIST, path)).replace(/\.(js|d\.ts)(\.map)?$/, '');
      if (!existsSync(`${stem}.ts`) && !existsSync(`${stem}.tsx`)) rmSync(path);
    }
  }
}

/** Compiles the TypeScript incrementally. */
export function build() {
  prune();
  must(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
}
