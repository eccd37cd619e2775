/**
 * The tables of a store, in one lmdb file:
 *
 *   records  hash of owner and key -> facts, number of the body, checksums
 *   bodies   number of the body, chunk -> bytes
 *   index    kind, owner, URL or route or tag, number -> hash, for purges
 *   queue    order -> hash, of what may be evicted, oldest first
 *   kept     time of expiry, number -> hash, of what is not evicted before it
 *
 * and beside them the totals: what is stored, in sum.
 */
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { FORMAT } from './record.js';

type Table = Database<Buffer, Buffer>;

export interface Tables {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly records: Table;
  readonly bodies: Table;
  readonly index: Table;
  readonly queue: Table;
  readonly kept: Table;
}

export interface Totals {
  readonly format: number;
  /** The next number of a body or place in the queue. */
  next: number;
  bytes: number;
  entries: number;
  /** Of them, those that are kept forever or until they expire, and their bytes. */
  forever: number;
  foreverBytes: number;
  kept: number;
  keptBytes: number;
  /** False while a process uses the store: a reader checks everything. */
  clean: boolean;
}

/** Totals of an empty store. */
export const NOTHING = { bytes: 0, entries: 0, forever: 0, foreverBytes: 0, kept: 0, keptBytes: 0 } as const;

/** Another version of gw has written the store. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}

const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;

/** @throws Error if the file cannot be opened */
export function openTables(path: string, size: number): Tables {
  // Commits are synchronous: nothing of them runs after the thread has ended.
  const root: RootDatabase<Buffer, Buffer> = open({
    path,
    mapSize: size,
    maxDbs: 8,
    overlappingSync: false,
    noSubdir: false,
    ...binary,
  });
  const table = (name: string): Table => root.openDB(name, binary);
  try {
    return {
      root,
      records: table('records'),
      bodies: table('bodies'),
      index: table('index'),
      queue: table('queue'),
      kept: table('kept'),
    };
  } catch (error) {
    void root.close();
    throw error;
  }
}

const TOTALS = Buffer.from('totals');

/** @throws FormatError */
export function readTotals({ root }: Tables): Totals {
  const bytes = root.getBinary(TOTALS);
  if (bytes === undefined) return { format: FORMAT, next: 1, ...NOTHING, clean: true };
  const totals = JSON.parse(bytes.toString()) as Totals;
  if (totals.format !== FORMAT) throw new FormatError(`the store has format ${totals.format}, not ${FORMAT}`);
  return totals;
}

/** Within a transaction. */
export function writeTotals({ root }: Tables, totals: Totals): void {
  void root.put(TOTALS, Buffer.from(JSON.stringify(totals)));
}

/** The file of a store in this folder. */
export const fileOf = (path: string): string => join(path, 'data.mdb');

/** Bytes of the file that pages take, used ones and those that can be used again. */
export function fileBytes({ root }: Tables): number {
  const stats = root.getStats() as { readonly lastPageNumber: number; readonly root: { readonly pageSize: number } };
  return (stats.lastPageNumber + 1) * stats.root.pageSize;
}
