/** What `gw cache` does and prints. */

import { type AdminClient, AdminError } from '../dashboard/client.js';
import { bytes, latency, percent } from '../dashboard/format.js';
import { clientOf, DashError } from '../dashboard/source.js';
import { clean } from '../dashboard/text.js';
import { counted } from '../plural.js';
import { parseDuration } from '../schema/units.js';
import {
  type CachePolicyStats,
  type CacheSelection,
  type CacheStats,
  MOST_LISTED,
  MOST_WARM_URLS,
  type PurgeInput,
  type PurgeReport,
  type StoredReplies,
  unknownCache,
  type WarmResult,
} from '../telemetry/cache-calls.js';
import { EXIT, failed, usage } from './exit-codes.js';
import { readInput, readStandardInput, STANDARD } from './files.js';
import { headerField } from './header-field.js';
import type { Io } from './io.js';
import { table } from './table.js';

interface Common {
  readonly address: string | undefined;
  readonly json: boolean;
}

/** Runs `work` with a client of the gateway. @throws CommandError */
async function withGateway<T>(
  io: Io,
  address: string | undefined,
  work: (client: AdminClient) => Promise<T>,
): Promise<T> {
  try {
    return await work(await clientOf('cache', { address, env: io.env, cwd: io.cwd }));
  } catch (error) {
    const wrong =
      error instanceof DashError ? error.kind === 'usage' : error instanceof AdminError && error.reason === 'invalid';
    if (!(error instanceof DashError || error instanceof AdminError)) throw error;
    const message = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`;
    const text = /[.!?:]$|\n/.test(message) ? message : `${message}.`;
    throw wrong ? usage(text) : failed(text);
  }
}

// ---------------------------------------------------------------- stats

export async function stats(
  io: Io,
  { address, json, policy }: Common & { readonly policy: string | undefined },
): Promise<number> {
  const all = await withGateway(io, address, (client) => client.cacheStats());
  const policies = all.policies.filter((one) => policy === undefined || one.policy === policy);
  if (policy !== undefined && policies.length === 0)
    throw usage(
      unknownCache(
        clean(policy),
        all.policies.map((one) => clean(one.policy)),
      ),
    );
  if (json) io.json({ ...all, policies });
  else if (policies.length === 0) io.note('The gateway has no cache.');
  else io.write(statsText(io, { ...all, policies }));
  return EXIT.ok;
}

function statsText(io: Io, { memory, disk, policies }: CacheStats): string {
  const requests = numbers(
    io,
    ['POLICY', 'HIT RATE', 'HIT', 'STALE', 'SHARED', 'MISS', 'VALIDATED', 'BYPASS'],
    policies.map(({ policy, requests: { hit, stale, collapsed, miss, bypass }, validated }) => {
      const answered = hit + stale + collapsed;
      return [clean(policy), percent(answered, answered + miss), hit, stale, collapsed, miss, validated, bypass];
    }),
  );
  const entries = numbers(
    io,
    ['POLICY', 'ENTRIES', 'SIZE', 'PINNED', 'STORED', 'EVICTED', 'EXPIRED', 'PURGED', 'REFUSED'],
    policies.map(({ policy, store }) => [
      clean(policy),
      store.entries,
      bytes(store.bytes),
      bytes(store.pinnedBytes),
      store.stored,
      store.evicted,
      store.expired,
      store.purged,
      refusedOf(store),
    ]),
  );
  const used = bytes(memory.bytes - memory.freeBytes);
  const stored = `Entries in memory (${used} of ${bytes(memory.bytes)} in use, all contents together)\n${entries}`;
  const onDisk = disk && `\nOn disk: ${diskText(disk)}\n`;
  return `Requests\n${requests}\n${stored}${onDisk ?? ''}`;
}

function diskText({ entries, bytes: size, limitBytes, refused }: NonNullable<CacheStats['disk']>): string {
  const full = refused === 0 ? '' : `; ${refused} refused because it was full`;
  return `${entries} ${entries === 1 ? 'entry' : 'entries'}, ${bytes(size)} of ${bytes(limitBytes)}${full}`;
}

// ---------------------------------------------------------------- what is stored

/** What an action is about: nothing given, everything. */
interface Selected extends CacheSelection {
  readonly url: readonly string[];
  readonly route: readonly string[];
  readonly tag: readonly string[];
}

export const isSelection = ({ url, route, tag, all }: Selected): boolean =>
  all === true || url.length + route.length + tag.length > 0;

/** Lists what a purge would be about. */
export async function stored(io: Io, input: Selected, { address, json }: Common): Promise<number> {
  refuseRelative(input.url);
  const found = await withGateway(io, address, (client) => client.storedReplies(input));
  if (json) io.json(found);
  else if (found.replies.length === 0) io.note('Nothing is stored that matches.');
  else io.write(storedText(io, found));
  return EXIT.ok;
}

/** A line for each URL in each cache: variants are added up. */
function storedText(io: Io, { replies, complete }: StoredReplies): string {
  const lines = new Map<string, { policy: string; url: string; entries: number; size: number; soft: number }>();
  for (const { policy, url, bytes: size, soft } of replies) {
    const name = `${policy} ${url}`;
    const line = lines.get(name) ?? { policy, url, entries: 0, size: 0, soft: 0 };
    line.entries++;
    line.size += size;
    if (soft) line.soft++;
    lines.set(name, line);
  }
  const rows = [...lines.values()].map(({ policy, url, entries, size, soft }) => [
    clean(policy),
    String(entries).padStart('ENTRIES'.length),
    bytes(size).padStart(SIZE_WIDTH),
    String(soft).padStart('SOFT'.length),
    clean(url),
  ]);
  const strong = (text: string): string => io.paint('bold', text);
  const head = ['POLICY', 'ENTRIES', 'SIZE'.padStart(SIZE_WIDTH), 'SOFT', 'URL'];
  const size = replies.reduce((sum, one) => sum + one.bytes, 0);
  const more = complete ? '' : ' There are more: select less.';
  return `${table(head, rows, { strong, columns: io.columns })}${counted(replies.length, 'entry')}, ${bytes(size)}.${more}\n`;
}

const SIZE_WIDTH = 9;

const refusedOf = ({ refused }: CachePolicyStats['store']): number => refused.admission + refused.size + refused.room;

/** A table whose columns, but for the first one, are aligned to the right. */
function numbers(io: Io, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const texts = rows.map((row) => row.map(String));
  const widths = head.map((title, at) => Math.max(title.length, ...texts.map((row) => row[at]?.length ?? 0)));
  const right = (row: readonly string[]): string[] =>
    row.map((text, at) => (at === 0 ? text : text.padStart(widths[at]!)));
  const strong = (text: string): string => io.paint('bold', text);
  return table(right(head), texts.map(right), { strong, columns: io.columns });
}

// ---------------------------------------------------------------- purge

export async function purge(
  io: Io,
  input: PurgeInput & { readonly url: readonly string[] },
  { address, json }: Common,
): Promise<number> {
  refuseRelative(input.url);
  const report = await withGateway(io, address, (client) => client.purge(input));
  if (json) io.json(report);
  else io.info(purgeText(report));
  return EXIT.ok;
}

function purgeText({ purged, soft, policies }: PurgeReport): string {
  if (policies.length === 0) return 'The gateway has no cache.';
  if (purged === 0) return 'Nothing is stored that matches.';
  const parts = policies.filter((one) => one.purged > 0).map((one) => `${clean(one.policy)} ${one.purged}`);
  const what = soft ? 'Marked' : 'Purged';
  const then = soft ? '; they are validated before their next use' : '';
  return `${what} ${purged} ${purged === 1 ? 'entry' : 'entries'} (${parts.join(', ')})${then}.`;
}

function refuseRelative(urls: readonly string[]): void {
  const relative = urls.find((url) => !/^https?:\/\/./i.test(url));
  if (relative !== undefined)
    throw usage(`\`${relative}\` is not an absolute URL: write it as clients do, such as https://api.example/shop.`);
}

// ---------------------------------------------------------------- warm

export interface WarmOptions {
  readonly policy?: string;
  readonly route?: readonly string[];
  readonly tag?: readonly string[];
  readonly file?: string;
  readonly header?: readonly string[];
  readonly concurrency?: string;
  readonly timeout?: string;
  readonly address?: string;
  readonly json: boolean;
}

const MOST_LIST_BYTES = 64 * 1024 ** 2;

export async function warm(io: Io, given: readonly string[], options: WarmOptions): Promise<number> {
  const named = [...given, ...(options.file === undefined ? [] : await listed(io, options.file))];
  const { policy, route = [], tag = [] } = options;
  const isPrefix = (url: string): boolean => url.endsWith('*');
  const selected: Selected = {
    ...(policy === undefined ? {} : { policy }),
    url: named.filter(isPrefix),
    route,
    tag,
  };
  if (named.length === 0 && !isSelection(selected))
    throw usage('Say what to request: URLs, --file with one URL a line, or --route or --tag of what is stored.');
  refuseRelative(named);
  const headers = Object.fromEntries((options.header ?? []).map(headerField));
  const concurrency = options.concurrency === undefined ? undefined : Number(options.concurrency);
  if (concurrency !== undefined && !Number.isInteger(concurrency)) throw usage('--concurrency is a number.');
  const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout);
  if (options.timeout !== undefined && timeoutMs === undefined)
    throw usage(`\`${options.timeout}\` is no duration: write 500ms or 30s.`);
  const more = {
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  const results: WarmResult[] = [];
  await withGateway(io, options.address, async (client) => {
    const urls = new Set(named.filter((url) => !isPrefix(url)));
    if (isSelection(selected)) {
      const { replies, complete } = await client.storedReplies({ ...selected, most: MOST_LISTED });
      for (const { url } of replies) if (url !== '') urls.add(url);
      if (!complete) io.note(`More than ${MOST_LISTED} replies are stored: the others are left out.`);
    }
    const all = [...urls];
    for (let from = 0; from < all.length; from += MOST_WARM_URLS) {
      const part = all.slice(from, from + MOST_WARM_URLS);
      const request = (): Promise<{ readonly results: readonly WarmResult[] }> =>
        client.warm({ urls: part, headers, ...more });
      results.push(...(await io.spin(`Requesting ${from + part.length} of ${all.length}`, request)).results);
    }
  });
  if (options.json) io.json({ version: 1, results });
  else if (results.length === 0) io.note('Nothing is stored that matches.');
  else io.write(warmText(io, results));
  return results.every(succeeded) ? EXIT.ok : EXIT.failed;
}

const succeeded = ({ status }: WarmResult): boolean => status !== null && status < 400;

/** One URL a line; empty lines and those that begin with `#` do not count. */
async function listed(io: Io, file: string): Promise<string[]> {
  const content = file === STANDARD ? await readStandardInput(io, MOST_LIST_BYTES) : readInput(io, file, 'document');
  return Buffer.from(content)
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function warmText(io: Io, results: readonly WarmResult[]): string {
  const rows = results.map(({ url, status, cacheStatus, bytes: size, tookMs, error }) => [
    status === null ? '-' : String(status),
    error === undefined ? cacheText(cacheStatus) : clean(error),
    status === null ? '' : bytes(size),
    status === null && tookMs === 0 ? '' : latency(tookMs),
    clean(url),
  ]);
  const strong = (text: string): string => io.paint('bold', text);
  const list = table(['STATUS', 'CACHE', 'SIZE', 'TIME', 'URL'], rows, { strong, columns: io.columns });
  const failures = results.filter((result) => !succeeded(result)).length;
  const hits = results.filter(({ cacheStatus }) => isHit(cacheStatus)).length;
  const stored = results.filter(({ cacheStatus }) => /;\s*stored(;|$)/.test(lastOf(cacheStatus))).length;
  return `${list}${counted(results.length, 'URL')}: ${stored} stored now, ${hits} stored before, ${failures} failed.\n`;
}

/** What the last cache of Cache-Status says: that of the gateway. */
const lastOf = (cacheStatus: string | null): string => cacheStatus?.split(',').at(-1)?.trim() ?? '';
const isHit = (cacheStatus: string | null): boolean => /;\s*hit(;|$)/.test(lastOf(cacheStatus));

/** Without the name of the cache. */
const cacheText = (cacheStatus: string | null): string =>
  clean(lastOf(cacheStatus).split(';').slice(1).join(';').trim()) || '-';
