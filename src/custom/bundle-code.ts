/** Bundles the module of a custom policy or action with everything that it imports. The only importer of esbuild. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type * as Esbuild from 'esbuild';
import type { CustomCode } from '../contract/index.js';
import { BUILTIN_HELP, isAllowedBuiltin } from './builtins.js';
import type { CodePlace } from './evaluate.js';

/** Largest code of one module, in bytes. */
export const MAX_CODE = 4 * 1024 * 1024;

/** Why code cannot be bundled. */
export interface BuildFault {
  readonly message: string;
  /** Undefined: the module itself. */
  readonly place?: (CodePlace & { readonly length: number }) | undefined;
  readonly help?: string | undefined;
}

export interface BuiltCode {
  /** Undefined if there are faults. */
  readonly code: CustomCode | undefined;
  readonly faults: readonly BuildFault[];
  /** Absolute paths of the files that decide the result, also of ones that do not exist. */
  readonly files: readonly string[];
}

/** Whether `use` names a file or an installed package, and not a kind of gw. `root`: folder of the root spec. */
export function namesCode(use: string, root: string): boolean {
  if (namesFile(use)) return true;
  const name = /^(?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*/i.exec(use)?.[0];
  if (name === undefined) return false;
  for (let folder = root; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'node_modules', name, 'package.json'))) return true;
    if (folder === dirname(folder)) return false;
  }
}

/** Whether `use` is a path. */
export const namesFile = (use: string): boolean => /^\.{0,2}\/|\.[cm]?[jt]s$/.test(use);

/** Milliseconds of the file system's clock; a file that changed so recently may have changed while it was read. */
const CLOCK_TICK_MS = 20;
const MOST_BUILDS = 3;

/**
 * Bundles the module into one CommonJS text. The same sources give the same text, wherever the folder is. Never throws
 * because of the sources.
 */
export function buildCode(use: string, root: string): BuiltCode {
  for (let build = 1; ; build++) {
    const started = Date.now();
    const built = buildOnce(entryOf(use, root), use, root, false);
    if (build === MOST_BUILDS || !built.files.some((path) => changedSince(path, started - CLOCK_TICK_MS))) return built;
  }
}

/** Bundles a test file in the same way. It may import every module of Node, and `gw/policy/testing`. */
export const buildTest = (path: string, root: string): BuiltCode =>
  buildOnce(`import ${JSON.stringify(path)};`, path, root, true);

function changedSince(path: string, time: number): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? 0) >= time;
}

const ENTRY = 'gw-entry';

/** The text of a module that passes on the default export of `use`. */
function entryOf(use: string, root: string): string {
  const beside = namesFile(use) && !isAbsolute(use) && !use.startsWith('.');
  // From a link, `..` leads to the folder of the link, as for the other files of a spec.
  const specifier = use.startsWith('../') ? resolve(root, use) : beside ? `./${use}` : use;
  return `export { default } from ${JSON.stringify(specifier)};`;
}

function buildOnce(contents: string, use: string, root: string, isTest: boolean): BuiltCode {
  const { buildSync } = createRequire(import.meta.url)('esbuild') as typeof Esbuild;
  // esbuild names files by their real paths, relative to this one. The text of a spec may come without a folder.
  const real = existsSync(root) ? realpathSync(root) : root;
  const absolute = (path: string): string => resolve(path.startsWith('..') ? real : root, path);
  try {
    const { outputFiles, metafile } = buildSync({
      stdin: {
        contents,
        resolveDir: real,
        sourcefile: ENTRY,
        loader: 'js',
      },
      absWorkingDir: real,
      outfile: 'custom.js',
      write: false,
      bundle: true,
      metafile: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      external: ['gw/policy', ...(isTest ? ['gw/policy/testing'] : [])],
      // Only the sources decide: no tsconfig.json of a surrounding folder, no environment.
      tsconfigRaw: '{}',
      define: { 'import.meta.url': '"file:///custom"' },
      charset: 'utf8',
      legalComments: 'none',
      sourcemap: 'inline',
      sourcesContent: false,
      logLevel: 'silent',
    });
    const inputs = Object.keys(metafile.inputs).filter((path) => path !== ENTRY);
    const files = inputs.map(absolute);
    const text = outputFiles[0]?.text ?? '';
    const faults = [...(isTest ? [] : forbiddenImports(metafile, absolute)), ...tooLarge(text)];
    const code = { sha256: createHash('sha256').update(text).digest('hex'), text };
    return { code: faults.length === 0 ? code : undefined, faults, files };
  } catch (error) {
    return { code: undefined, ...failure(error, use, root, absolute) };
  }
}

function tooLarge(text: string): BuildFault[] {
  if (Buffer.byteLength(text) <= MAX_CODE) return [];
  return [{ message: `The code with its imports has more than ${MAX_CODE / 1024 / 1024} MiB.` }];
}

/** Imports of modules of Node that reach outside. */
function forbiddenImports({ inputs }: Esbuild.Metafile, absolute: (path: string) => string): BuildFault[] {
  const faults: BuildFault[] = [];
  for (const [path, { imports }] of Object.entries(inputs)) {
    for (const { path: specifier, external } of imports) {
      if (external !== true || !isBuiltin(specifier) || isAllowedBuiltin(specifier)) continue;
      const place = placeOfText(absolute(path), path, specifier);
      faults.push({ message: `Custom code cannot import \`${specifier}\`.`, place, help: BUILTIN_HELP });
    }
  }
  return faults;
}

function placeOfText(absolute: string, file: string, specifier: string): BuildFault['place'] {
  const lines = readFileSync(absolute, 'utf8').split('\n');
  for (const [index, line] of lines.entries()) {
    const at = Math.max(line.indexOf(`'${specifier}'`), line.indexOf(`"${specifier}"`));
    if (at >= 0) return { file, line: index + 1, column: at + 1, length: specifier.length + 2 };
  }
  return { file, line: 1, column: 1, length: 0 };
}

const MOST_FAULTS = 10;

/** The errors of esbuild, and the files that a fix may change or create. */
function failure(
  error: unknown,
  use: string,
  root: string,
  absolute: (path: string) => string,
): Omit<BuiltCode, 'code'> {
  const errors = messagesOf(error);
  if (errors === undefined) throw error;
  const files = new Set<string>(namesFile(use) ? [resolve(root, use)] : []);
  const faults = errors.slice(0, MOST_FAULTS).map(({ text, location }): BuildFault => {
    const from = location && location.file !== ENTRY ? absolute(location.file) : undefined;
    const unresolved = /^Could not resolve "(.+)"$/.exec(text)?.[1];
    const missing = unresolved !== undefined && from === undefined ? use : unresolved;
    if (from !== undefined) files.add(from);
    if (missing?.startsWith('.'))
      for (const path of candidates(resolve(from ? dirname(from) : root, missing))) files.add(path);
    const message = missing === undefined ? `${text}.` : `\`${missing}\` cannot be found.`;
    if (!location || from === undefined) return { message, help: missing === use ? MISSING_HELP : undefined };
    const file = relative(root, from).split(sep).join('/');
    const { line, column, length } = location;
    return { message, place: { file, line, column: column + 1, length } };
  });
  return { faults, files: [...files] };
}

const MISSING_HELP =
  'Paths are relative to the folder of the root spec. `gw policy new NAME` writes a policy to begin with.';

const candidates = (path: string): string[] => ['', '.ts', '.js', '/index.ts', '/index.js'].map((end) => path + end);

function messagesOf(error: unknown): readonly Esbuild.Message[] | undefined {
  if (!(error instanceof Error) || !('errors' in error) || !Array.isArray(error.errors)) return undefined;
  return error.errors;
}
