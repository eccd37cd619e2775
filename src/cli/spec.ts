/** What commands run on: a spec, found and checked, or a bundle. Either may come from standard input. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Bundle } from '../bundle/types.js';
import { INPUT_LIMITS, readFirstBytes } from '../input-file.js';
import type { ReadFile } from '../spec/files.js';
import { statOf } from '../spec/stat.js';
import type { SpecOptions } from './command.js';
import { failed, SpecError } from './exit-codes.js';
import { isFileError, readInput, readStandardInput, STANDARD, STDIN_NAME, tooLarge } from './files.js';
import { breathe, type Io } from './io.js';

export const SPEC_FILE = 'gateway.toml';

/** A spec to load: where it is, and how its text is read if not from the disk. */
export interface SpecSource {
  /** Absolute. */
  readonly path: string;
  readonly read?: ReadFile;
}

/** Absolute path of the spec: the file or the folder given, or the nearest gateway.toml from the working directory up. */
export function findSpec(io: Io, given: string | undefined): string {
  if (given !== undefined) {
    const path = resolve(io.cwd, given);
    return isFolder(path) ? join(path, SPEC_FILE) : path;
  }
  for (let folder = resolve(io.cwd); ; folder = dirname(folder)) {
    const path = join(folder, SPEC_FILE);
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) break;
  }
  throw failed(
    `There is no ${SPEC_FILE} in this folder or in one above it. Name the spec, or write one with \`gw init\`.`,
  );
}

const isFolder = (path: string): boolean => statOf(path)?.isDirectory() ?? false;

/** The same, and `-` for a spec on standard input. What that includes is relative to the working directory. */
export async function specSource(io: Io, given: string | undefined): Promise<SpecSource> {
  if (given !== STANDARD) return { path: findSpec(io, given) };
  return stdinSpec(io, await readStandardInput(io, INPUT_LIMITS.spec));
}

async function stdinSpec(io: Io, bytes: Uint8Array): Promise<SpecSource> {
  if (bytes.length > INPUT_LIMITS.spec) throw tooLarge(INPUT_LIMITS.spec);
  const { decodeText, readText } = await import('../spec/source.js');
  const path = resolve(io.cwd, STDIN_NAME);
  return { path, read: (absolute, pipes) => (absolute === path ? decodeText(bytes) : readText(absolute, pipes)) };
}

/** Absolute paths of the overlays, in their order. */
export const overlayPaths = (io: Io, { overlay = [] }: SpecOptions): readonly string[] =>
  overlay.map((path) => resolve(io.cwd, path));

/** Loads, checks and compiles a spec. Throws SpecError when it has errors; warnings are for `gw validate`. */
export async function compiledSpec(
  io: Io,
  { path, read }: SpecSource,
  options: SpecOptions & { readonly includeConsumers?: boolean },
) {
  const { checkSpec } = await import('../lint/index.js');
  await breathe();
  const { value: model, diagnostics, files } = checkSpec({ path, read, overlays: overlayPaths(io, options) });
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (!model || errors.length > 0) throw new SpecError(errors, files);
  const { compile } = await import('../compiler/index.js');
  await breathe();
  return compile(model, { includeConsumers: options.includeConsumers === true });
}

/** Whether the file holds a bundle. A file that cannot be read is treated as a spec, whose diagnostics give the reason. */
export async function isBundleFile(path: string): Promise<boolean> {
  const { isBundle } = await import('../bundle/encode.js');
  try {
    const head = readFirstBytes(path, 64);
    return head !== undefined && isBundle(head);
  } catch (error) {
    if (isFileError(error)) return false;
    throw error;
  }
}

/** A bundle's bytes: from a file, or from standard input for `-`. Throws CommandError when they cannot be read. */
export const readBundleBytes = async (io: Io, given: string): Promise<Uint8Array> =>
  given === STANDARD ? readStandardInput(io, INPUT_LIMITS.bundle) : readInput(io, given, 'bundle');

/** Decodes and verifies a bundle. Throws CommandError for bytes that are not one. `publicKey` is PEM. */
export async function decodedBundle(given: string, bytes: Uint8Array, publicKey?: string): Promise<Bundle> {
  const { BundleError, decodeBundle } = await import('../bundle/encode.js');
  try {
    return decodeBundle(bytes, publicKey === undefined ? {} : { publicKey });
  } catch (error) {
    if (error instanceof BundleError) throw failed(`${given === STANDARD ? STDIN_NAME : given}: ${error.message}`);
    throw error;
  }
}

export interface BundleOptions extends SpecOptions {
  /** With the consumers of files, for a spec. */
  readonly includeConsumers?: boolean;
  /** File with the public key that must have signed a given bundle. */
  readonly verify?: string;
  /** The caller runs the code of the bundle, if it has any: then it must be verified. */
  readonly runs?: boolean;
}

async function givenBundle(io: Io, given: string, bytes: Uint8Array, options: BundleOptions): Promise<Bundle> {
  const { verify, runs } = options;
  const key = verify === undefined ? undefined : Buffer.from(readInput(io, verify, 'secret')).toString('utf8');
  const bundle = await decodedBundle(given, bytes, key);
  if (runs === true && bundle.code !== undefined && key === undefined) {
    throw failed(`${given} has code of custom policies, which runs only if --verify checks its signature.`);
  }
  return bundle;
}

/** A bundle, read or compiled: `given` is a bundle, a spec, a folder with one, or `-` for either on standard input. */
export async function bundleOf(io: Io, given: string | undefined, options: BundleOptions): Promise<Bundle> {
  if (given === STANDARD) {
    const bytes = await readStandardInput(io, INPUT_LIMITS.bundle);
    const { isBundle } = await import('../bundle/encode.js');
    if (isBundle(bytes)) return givenBundle(io, given, bytes, options);
    return (await compiledSpec(io, await stdinSpec(io, bytes), options)).bundle;
  }
  if (given !== undefined && (await isBundleFile(resolve(io.cwd, given)))) {
    return givenBundle(io, given, readInput(io, given, 'bundle'), options);
  }
  return (await compiledSpec(io, await specSource(io, given), options)).bundle;
}
