/**
 * Keeps the file of a store longer than what lmdb says that it holds. A commit does not write pages that were taken and given back in
 * its transaction, so a sound file could end before its last page: after a kill it could not be told from one that was cut, which lmdb
 * must not map.
 */
import { statSync, truncateSync } from 'node:fs';

/** Bytes: more than one transaction can take at the end of the file and give back. They are a hole, and take no room on disk. */
const MARGIN = 8 * 1024 * 1024;

export class FileLength {
  readonly #file: string;
  readonly #most: number;
  #length = 0;

  /** `most`: bytes that the file may have, unless lmdb takes more. */
  constructor(file: string, most: number) {
    this.#file = file;
    this.#most = most;
  }

  /** After a commit. `used`: bytes up to the last page. @throws Error if the file cannot grow */
  keepAbove(used: number): void {
    const most = used < this.#most ? this.#most : Number.POSITIVE_INFINITY;
    if (this.#length >= Math.min(used + MARGIN, most)) return;
    const { size } = statSync(this.#file);
    // In steps, so that few commits need it.
    const wanted = Math.max(size, Math.min(used + 2 * MARGIN, most));
    if (wanted > size) truncateSync(this.#file, wanted);
    this.#length = wanted;
  }
}
