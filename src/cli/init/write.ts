/** Writing a set of files all together or not at all. */
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { INPUT_LIMITS, readInputText } from '../../input-file.js';
import { destinationOf, OutputError, type Staged, stage } from '../../output-file.js';
import { errnoCode, reasonOf } from '../../reason.js';
import { failed } from '../exit-codes.js';
import { isFileError } from '../files.js';

export interface PlannedFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly content: string | Buffer;
  /** Missing lines are added to a file that exists, instead of the file being in the way. */
  readonly merge?: boolean;
}

export interface Written {
  readonly path: string;
  readonly how: 'written' | 'replaced' | 'extended' | 'unchanged';
}

/**
 * Throws CommandError when files are in the way and `force` is off, or when the folder cannot be written to; either way nothing
 * has changed then.
 */
export function writeFiles(folder: string, files: readonly PlannedFile[], force: boolean): Written[] {
  const inTheWay = files.filter((file) => !file.merge && isThere(join(folder, file.path)));
  if (inTheWay.length > 0 && !force) {
    const list = inTheWay.map((file) => `  ${file.path}`).join('\n');
    throw failed(`These files are there already, and nothing was written:\n${list}\nAdd --force to overwrite them.`);
  }
  const staged: Staged[] = [];
  const written: Written[] = [];
  try {
    for (const file of files) {
      const to = join(folder, file.path);
      const { content, how } = contentFor(file, to);
      written.push({ path: file.path, how });
      if (how === 'unchanged') continue;
      mkdirSync(dirname(to), { recursive: true });
      staged.push(stage(replaceable(to, file.path), typeof content === 'string' ? Buffer.from(content) : content));
    }
    for (const one of staged) one.commit();
  } catch (error) {
    for (const one of staged) one.abandon();
    if (isFileError(error)) throw failed(`Cannot write to ${folder}: ${reasonOf(error, 'write')}.`);
    throw error;
  }
  return written;
}

/** Where a file is written: to what a link leads to. A device or a pipe stays what it is. */
function replaceable(path: string, shown: string) {
  const to = destinationOf(path);
  if (to.kind === 'file' || to.kind === 'new') return to;
  throw new OutputError(`${shown} is not a regular file`);
}

/** Also of a link that leads nowhere: writing would follow it. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    // A file is where a folder is needed: writing reports it.
    if (errnoCode(error) === 'ENOTDIR') return false;
    throw error;
  }
}

function contentFor(file: PlannedFile, path: string): Pick<PlannedFile, 'content'> & Pick<Written, 'how'> {
  if (!existsSync(path)) return { content: file.content, how: 'written' };
  if (!file.merge || typeof file.content !== 'string') return { content: file.content, how: 'replaced' };
  const before = readInputText(path, { maxBytes: INPUT_LIMITS.spec });
  const known = new Set(before.split(/\r?\n/));
  const missing = file.content.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !known.has(line));
  if (missing.length === 0) return { content: before, how: 'unchanged' };
  const gap = before === '' || before.endsWith('\n') ? '' : '\n';
  return { content: `${before}${gap}${missing.join('\n')}\n`, how: 'extended' };
}
