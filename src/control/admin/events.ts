/** The event stream: newline-delimited JSON to each client, with bounds for slow clients. */
import type { ServerResponse } from 'node:http';
import type { WatchLevel } from '../../proxy/types.js';
import type { AdminEvent, ReloadSnapshot, RequestRecord, Snapshot, WarningRecord } from '../../telemetry/snapshot.js';

export const MAX_EVENT_CLIENTS = 32;
/** Bytes that may wait in a client's response; further lines for it are dropped. */
export const MAX_WAITING_BYTES = 1024 * 1024;
const SNAPSHOT_EVERY_MS = 1000;
/** Snapshots in a row that did not fit, after which a client is disconnected. */
const MAX_MISSED = 30;
/** Records that a client gets of the time before it came. */
const MAX_RECENT = 200;

export interface EventSource {
  snapshot(): Snapshot;
  /** The highest level that any client asked for. */
  watch(level: WatchLevel): void;
}

interface Client {
  readonly response: ServerResponse;
  readonly level: WatchLevel;
  /** Records that were not sent to this client; reported with the next batch that fits. */
  dropped: number;
  /** Snapshots in a row that were not sent to it. */
  missed: number;
}

export class EventHub {
  readonly #source: EventSource;
  readonly #clients = new Set<Client>();
  #timer: NodeJS.Timeout | undefined;
  #level: WatchLevel = 'off';
  /** The last records, for the next client that watches; at most twice MAX_RECENT, empty while no client does. */
  #recent: RequestRecord[] = [];

  constructor(source: EventSource) {
    this.#source = source;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Starts streaming to `response`, a snapshot first; false if there are too many clients. */
  add(response: ServerResponse, level: WatchLevel): boolean {
    if (this.#clients.size >= MAX_EVENT_CLIENTS) return false;
    const client: Client = { response, level, dropped: 0, missed: 0 };
    this.#clients.add(client);
    response.writeHead(200, {
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    // `close` follows and removes the client.
    response.on('error', () => {});
    response.on('close', () => {
      this.#clients.delete(client);
      this.#adjust();
    });
    this.#send(client, lineOf({ type: 'snapshot', snapshot: this.#source.snapshot() }));
    if (level !== 'off' && this.#recent.length > 0) this.#sendRecent(client, newest(this.#recent));
    this.#adjust();
    return true;
  }

  reload(reload: ReloadSnapshot): void {
    this.#sendAll({ type: 'reload', reload });
  }

  warning(warning: WarningRecord): void {
    if (this.#clients.size === 0) return;
    this.#sendAll({ type: 'warning', warning: { ...warning, fields: plainFields(warning.fields) } });
  }

  #sendAll(event: AdminEvent): void {
    const line = lineOf(event);
    for (const client of this.#clients) this.#send(client, line);
  }

  /** The last records of one worker from before the first client began to watch. */
  recent(records: readonly RequestRecord[]): void {
    if (this.#level === 'off') return;
    this.#remember(records);
    for (const client of this.#clients) if (client.level !== 'off') this.#sendRecent(client, records);
  }

  requests(records: readonly RequestRecord[], dropped: number): void {
    if (this.#level === 'off') return;
    this.#remember(records);
    let plain: readonly RequestRecord[] | undefined;
    for (const client of this.#clients) {
      if (client.level === 'off') continue;
      if (client.level === 'records') plain ??= withoutDecisions(records);
      const requests = client.level === 'records' ? (plain ?? []) : records;
      const missed = client.dropped + dropped;
      const sent = this.#send(client, lineOf({ type: 'requests', requests, dropped: missed }));
      client.dropped = sent ? 0 : missed + records.length;
    }
  }

  /** Ends every stream. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const { response } of this.#clients) response.end();
  }

  #remember(records: readonly RequestRecord[]): void {
    this.#recent.push(...records.slice(-MAX_RECENT));
    if (this.#recent.length > 2 * MAX_RECENT) this.#recent = newest(this.#recent);
  }

  #sendRecent(client: Client, records: readonly RequestRecord[]): void {
    const requests = client.level === 'records' ? withoutDecisions(records) : records;
    this.#send(client, lineOf({ type: 'requests', requests, dropped: 0, recent: true }));
  }

  #send({ response }: Client, line: string): boolean {
    if (response.writableEnded || response.destroyed || response.writableLength > MAX_WAITING_BYTES) return false;
    response.write(line);
    return true;
  }

  #snapshots(): void {
    const line = lineOf({ type: 'snapshot', snapshot: this.#source.snapshot() });
    for (const client of this.#clients) {
      client.missed = this.#send(client, line) ? 0 : client.missed + 1;
      if (client.missed >= MAX_MISSED) client.response.destroy();
    }
  }

  /** The data plane builds records and decisions only while clients ask for them. */
  #adjust(): void {
    const levels = new Set([...this.#clients].map((client) => client.level));
    const level = levels.has('decisions') ? 'decisions' : levels.has('records') ? 'records' : 'off';
    if (level !== this.#level) {
      this.#level = level;
      if (level === 'off') this.#recent = [];
      this.#source.watch(level);
    }
    if (this.#clients.size > 0) {
      this.#timer ??= setInterval(() => this.#snapshots(), SNAPSHOT_EVERY_MS).unref();
    } else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }
}

/** The last records, in the order in which the requests ended. */
const newest = (records: readonly RequestRecord[]): RequestRecord[] =>
  [...records].sort((a, b) => a.at + a.durationMs - (b.at + b.durationMs)).slice(-MAX_RECENT);

const withoutDecisions = (records: readonly RequestRecord[]): RequestRecord[] =>
  records.map(({ decisions: _decisions, ...record }) => record);

/** The fields of a log line may be of any kind, also those that JSON has not. A log call must not throw. */
function plainFields(fields: WarningRecord['fields']): WarningRecord['fields'] {
  try {
    return JSON.parse(JSON.stringify(fields));
  } catch {
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  }
}

const lineOf = (event: AdminEvent): string => `${JSON.stringify(event)}\n`;
