/** Fetches the lists of a block policy, once for all workers. A list that cannot be fetched keeps its last good form. */
import * as crypto from 'node:crypto';
import type { DutyHost, DutyInstance, Json } from '../contract.js';
import { defineDuty } from '../kits/duty.js';
import { type ListEntry, readList } from './entries.js';
import type { BlockSettings, FetchedList } from './schema.js';

/** Bytes of one list: 100,000 entries with comments. */
const MAX_REPLY = 16 * 1024 * 1024;

export const createDuty = defineDuty<BlockSettings>(({ fetched }, host) => new ListDuty(fetched, host));

/** What is known about one list. */
interface Known {
  /** Identifies kind and URL: the entries of another URL are not those of this list. */
  readonly id: string;
  entry: ListEntry | undefined;
  etag: string | undefined;
  /** Milliseconds of the monotonic clock. */
  dueAt: number;
}

class ListDuty implements DutyInstance {
  readonly #lists: readonly FetchedList[];
  readonly #host: DutyHost;
  readonly #known: readonly Known[];
  #running: Promise<number> | undefined;

  constructor(lists: readonly FetchedList[], host: DutyHost) {
    this.#lists = lists;
    this.#host = host;
    const last = entriesOf(host.last);
    this.#known = lists.map((list) => {
      const id = idOf(list);
      const kept = last[list.name];
      return { id, entry: kept?.id === id ? kept.entry : undefined, etag: undefined, dueAt: 0 };
    });
  }

  run(): Promise<number> {
    this.#running ??= this.#fetchDue().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** A worker has not got the lists yet. A failure is in the snapshot of the next run. */
  async ask(): Promise<Json> {
    await this.run().catch(() => {});
    return null;
  }

  /** Fetches the lists that are due. Returns the time until the next one is. */
  async #fetchDue(): Promise<number> {
    const { clock } = this.#host;
    const failures: string[] = [];
    let changed = false;
    for (const [index, list] of this.#lists.entries()) {
      const known = this.#known[index]!;
      if (known.entry !== undefined && known.dueAt > clock.monotonic()) continue;
      try {
        if (await this.#fetch(list, known)) changed = true;
        known.dueAt = clock.monotonic() + list.refresh;
      } catch (error) {
        failures.push(`list ${list.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (changed) this.#publish();
    if (failures.length > 0) throw new Error(failures.join('; '));
    return Math.max(0, Math.min(...this.#known.map(({ dueAt }) => dueAt)) - clock.monotonic());
  }

  /** Returns whether the list has changed. */
  async #fetch({ of, url }: FetchedList, known: Known): Promise<boolean> {
    if (typeof url !== 'string') throw new Error('its URL is an unresolved reference');
    const conditional = known.etag === undefined || known.entry === undefined ? {} : { 'if-none-match': known.etag };
    const headers = { accept: 'text/plain, application/json, */*;q=0.1', ...conditional };
    const reply = await this.#host.fetch(url, { headers, maxReply: MAX_REPLY });
    if (reply.status === 304 && known.entry !== undefined) return false;
    if (reply.status !== 200) throw new Error(`the reply has status ${reply.status}`);
    const found = readList(Buffer.from(reply.body).toString('utf8'), of);
    if ('message' in found) throw new Error(found.message);
    const same = JSON.stringify(found) === JSON.stringify(known.entry);
    known.entry = found;
    known.etag = reply.headers['etag'];
    return !same;
  }

  #publish(): void {
    const lists: Record<string, Json> = {};
    for (const [index, { name }] of this.#lists.entries()) {
      const { entry, id } = this.#known[index]!;
      if (entry !== undefined) lists[name] = { id, entry };
    }
    this.#host.publish({ lists });
  }
}

const idOf = ({ of, url }: FetchedList): string =>
  crypto.hash('sha256', `${of} ${typeof url === 'string' ? url : url.$ref}`, 'hex');

type Entries = { readonly [name: string]: { readonly id: string; readonly entry: ListEntry } | undefined };

/** What this duty, or that of an earlier generation, has published. */
const entriesOf = (value: Json | undefined): Entries =>
  typeof value === 'object' && value !== null && 'lists' in value ? (value['lists'] as Entries) : {};
