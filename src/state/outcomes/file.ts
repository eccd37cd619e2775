/**
 * The records of an OutcomeTable on disk: a sparse file with one place for each slot of the table, written when the slot changes.
 *
 *     page of a header | slot, slot, ...      64 bytes each, in the order of the table
 *
 * A write reaches the system before the caller goes on, so the end of the process loses nothing; sync() waits until the device has it.
 * A slot does not straddle a sector, so it is written as a whole or not at all. Times are milliseconds since 1970, since the
 * monotonic clock starts anew with the system.
 */
import * as crypto from 'node:crypto';
import { closeSync, fdatasync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const HEADER = 4096;
const MAGIC = 'gw outcomes 1\n';
export const SLOT_BYTES = 64;
/** Seed and secret of the table. */
export const IDENTITY_BYTES = 24;
const IDENTITY_AT = 64;
const SLOTS_AT = 32;
/** Slots that are read at once. */
const PIECE = 16_384;

export class OutcomeFile {
  readonly #descriptor: number;
  /** Callers that wait for the next sync, while one is running. */
  #next: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  /** Opens a file that createOutcomeFile() has made. @throws Error if it cannot be opened */
  constructor(path: string) {
    this.#descriptor = openSync(path, 'r+');
  }

  /** `bytes`: of one slot. @throws Error if it cannot be written */
  write(slot: number, bytes: Uint8Array): void {
    const written = writeSync(this.#descriptor, bytes, 0, bytes.length, HEADER + slot * SLOT_BYTES);
    if (written !== bytes.length) throw new Error('the disk is full');
  }

  /** Resolves when the device has what was written before. Calls at the same time share one sync. */
  sync(): Promise<void> {
    if (this.#running === undefined) return this.#begin();
    // What was written after the running one began may not be part of it.
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#begin();
      });
    return this.#next;
  }

  #begin(): Promise<void> {
    const running = new Promise<void>((resolve, reject) => {
      fdatasync(this.#descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
    this.#running = running;
    const end = (): void => {
      if (this.#running === running) this.#running = undefined;
    };
    running.then(end, end);
    return running;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** What a file holds. */
export interface StoredOutcomes {
  /** Seed and secret of the table that wrote it. */
  readonly identity: Buffer;
  /** The slots that were ever written, with their numbers. */
  slots(): Iterable<readonly [slot: number, bytes: Buffer]>;
}

/**
 * Opens or creates the file of a table with so many slots, and reads it. One process uses it at a time. A file without a header and
 * without a record is one whose creation has not ended.
 * @throws Error if that is not possible, if it is another file, or if it is cut
 */
export function openOutcomeFile(path: string, slots: number): StoredOutcomes & { close(): void } {
  const descriptor = openSync(path, 'a+', 0o600);
  closeSync(descriptor);
  const file = openSync(path, 'r+');
  try {
    const size = HEADER + slots * SLOT_BYTES;
    const header = Buffer.alloc(HEADER);
    readSync(file, header, 0, HEADER, 0);
    if (fstatSync(file).size === 0 || (isZero(header) && readSlots(file, slots).next().done === true)) {
      header.write(MAGIC);
      header.writeUInt32LE(slots, SLOTS_AT);
      crypto.randomFillSync(header, IDENTITY_AT, IDENTITY_BYTES);
      ftruncateSync(file, size);
      writeSync(file, header, 0, HEADER, 0);
      fsyncSync(file);
      syncFolder(dirname(path));
    } else {
      if (header.toString('latin1', 0, MAGIC.length) !== MAGIC || header.readUInt32LE(SLOTS_AT) !== slots)
        throw new Error(`${path} does not hold outcomes of this version of gw`);
      // It has its size before its header: what is missing are records.
      if (fstatSync(file).size < size) throw new Error(`${path} is cut, so that keys are missing`);
    }
    const identity = header.subarray(IDENTITY_AT, IDENTITY_AT + IDENTITY_BYTES);
    return { identity, slots: () => readSlots(file, slots), close: () => closeSync(file) };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

/** A new file is lost with the power unless its folder is written too. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function* readSlots(file: number, slots: number): Generator<readonly [number, Buffer]> {
  const piece = Buffer.alloc(PIECE * SLOT_BYTES);
  for (let first = 0; first < slots; first += PIECE) {
    const count = Math.min(PIECE, slots - first);
    readSync(file, piece, 0, count * SLOT_BYTES, HEADER + first * SLOT_BYTES);
    for (let at = 0; at < count; at++) {
      const bytes = piece.subarray(at * SLOT_BYTES, (at + 1) * SLOT_BYTES);
      if (!isZero(bytes)) yield [first + at, bytes];
    }
  }
}
