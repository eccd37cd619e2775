/** What commands run on: a spec, found and checked, or a bundle. */
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Bundle } from '../bundle/types.js';
import { INPUT_LIMITS, InputError, type InputOptions, readFirstBytes, readInputFile } from '../input-file.js';
import { reasonOf } from '../reason.js';
import type { Model } from '../spec/model.js';
import { statOf } from '../spec/stat.js';
import type { SpecOptions } from './command.js';
import { EXIT, failed, isErrno, Stop, usage } from './exit.js';
import { breathe, type Io } from './io.js';

export const SPEC_FILE = 'gateway.toml';

/** Absolute path of the spec that is meant: the one named, the one in the folder named, or the nearest one above. */
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
  throw usage(`There is no ${SPEC_FILE} in this folder or above it. \`gw init\` writes one; or name the spec.`);
}

const isFolder = (path: string): boolean => statOf(path)?.isDirectory() ?? false;

export interface CheckedModel {
  readonly path: string;
  readonly model: Model;
}

/** Loads and judges a spec. With errors: prints them to standard error and throws Stop. Warnings are validate's to tell. */
export async function checkedModel(io: Io, given: string | undefined, options: SpecOptions): Promise<CheckedModel> {
  const path = findSpec(io, given);
  const overlays = (options.overlay ?? []).map((overlay) => resolve(io.cwd, overlay));
  const { checkSpec } = await import('../lint/index.js');
  const { hasErrors } = await import('../schema/diagnostic.js');
  await breathe();
  const { value: model, diagnostics, files } = checkSpec({ path, overlays });
  if (model && !hasErrors(diagnostics)) return { path, model };
  const { render } = await import('../lint/render/index.js');
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  io.stderr.write(render(errors, files, 'pretty', { color: io.errorColor, base: io.cwd }));
  throw new Stop(EXIT.failed, '');
}

/** Loads, judges and compiles a spec; throws as `checkedModel` does. */
export async function compiledSpec(io: Io, given: string | undefined, options: SpecOptions) {
  const { path, model } = await checkedModel(io, given, options);
  const { compile } = await import('../compiler/index.js');
  await breathe();
  return { path, model, ...compile(model) };
}

/** Whether the file holds a bundle. A file that cannot be read is taken for a spec, whose diagnostics say why. */
export async function isBundleFile(path: string): Promise<boolean> {
  const { isBundle } = await import('../bundle/encode.js');
  try {
    const head = readFirstBytes(path, 64);
    return head !== undefined && isBundle(head);
  } catch (error) {
    if (isErrno(error)) return false;
    throw error;
  }
}

/** Reads and verifies a bundle. Throws Stop for a file that is none. `publicKey` is PEM. */
export async function readBundle(io: Io, given: string, publicKey?: string): Promise<Bundle> {
  const { BundleError, decodeBundle } = await import('../bundle/encode.js');
  const bytes = readInput(io, given, 'bundle');
  try {
    return decodeBundle(bytes, publicKey === undefined ? {} : { publicKey });
  } catch (error) {
    if (error instanceof BundleError) throw failed(`${given}: ${error.message}`);
    throw error;
  }
}

/**
 * The bytes of a file that the command line names; throws Stop when it cannot be read. A bundle is read more than once, so
 * it must be a regular file; keys and documents may come through a pipe.
 */
export function readInput(io: Io, given: string, what: Exclude<keyof typeof INPUT_LIMITS, 'spec'>): Uint8Array {
  const options: InputOptions = { maxBytes: INPUT_LIMITS[what], pipes: what !== 'bundle' };
  try {
    return readInputFile(resolve(io.cwd, given), options);
  } catch (error) {
    if (isErrno(error) || error instanceof InputError) throw usage(`Cannot read ${given}: ${reasonOf(error)}.`);
    throw error;
  }
}

/** A bundle from a bundle or from a spec: whatever the file is. */
export async function bundleOf(io: Io, given: string | undefined, options: SpecOptions): Promise<Bundle> {
  if (given !== undefined && (await isBundleFile(resolve(io.cwd, given)))) return readBundle(io, given);
  return (await compiledSpec(io, given, options)).bundle;
}

/** As people should see a path: from where they are. */
export const shownPath = (io: Io, path: string): string => relative(io.cwd, path) || path;
