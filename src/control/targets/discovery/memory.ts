/** What sources said last, on disk: a gateway that starts while a source is out of service has the targets of its last run. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readInputFile } from '../../../input-file.js';
import { reasonOf } from '../../../reason.js';
import type { Log } from '../../log.js';
import type { SuppliedTarget } from '../names/supply.js';
import { list } from './api.js';

const MOST_BYTES = 4 * 1024 * 1024;
const SUFFIX = '.json';

export class SourceMemory {
  readonly #folder: string;
  readonly #log: Log;

  /** `path`: the folder for what survives a restart. */
  constructor(path: string, log: Log) {
    this.#folder = join(path, 'targets');
    this.#log = log;
  }

  /** Undefined if nothing is known of the source, or it cannot be read. */
  read(key: string): readonly SuppliedTarget[] | undefined {
    try {
      const text = readInputFile(this.#file(key), { maxBytes: MOST_BYTES }).toString('utf8');
      return list(JSON.parse(text)).filter(
        (one) => typeof one === 'object' && one !== null,
      ) as readonly SuppliedTarget[];
    } catch {
      // There is none, or it is damaged: the source will say what is true.
      return undefined;
    }
  }

  write(key: string, targets: readonly SuppliedTarget[]): void {
    const path = this.#file(key);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeFileSync(`${path}~`, JSON.stringify(targets), { mode: 0o600 });
      renameSync(`${path}~`, path);
    } catch (error) {
      this.#log.warn('cannot keep the targets of a source', { path, cause: reasonOf(error) });
    }
  }

  /** Removes what belongs to other sources. */
  keepOnly(keys: Iterable<string>): void {
    const kept = new Set([...keys].map(digestOf));
    try {
      for (const name of readdirSync(this.#folder))
        if (name.endsWith(SUFFIX) && !kept.has(name.slice(0, -SUFFIX.length))) rmSync(join(this.#folder, name));
    } catch {
      // The folder does not exist yet.
    }
  }

  #file(key: string): string {
    return join(this.#folder, `${digestOf(key)}${SUFFIX}`);
  }
}

const digestOf = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 32);
