/** A store on disk for tests: real lmdb in a temporary folder, in this thread, with clients over message channels. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { type ClientLimits, DiskClient } from '../../../../src/state/content/disk/client.js';
import { ContentDatabase } from '../../../../src/state/content/disk/database.js';
import { DiskMemory } from '../../../../src/state/content/disk/memory.js';
import { checksum } from '../../../../src/state/content/disk/record.js';
import { StoreServer, type Trouble } from '../../../../src/state/content/disk/server.js';
import { TieredContents } from '../../../../src/state/content/disk/tiered.js';
import { MemoryContents } from '../../../../src/state/content/memory/index.js';
import type { Content, ContentFacts, ContentStore } from '../../../../src/state/content/types.js';
import { type After, systemAfter } from '../../../../src/state/timers.js';

export const MIB = 1024 ** 2;
export const FOREVER = Number.POSITIVE_INFINITY;

export const factsOf = (more: Partial<ContentFacts> = {}): ContentFacts => ({
  expiresAt: 2_000_000,
  url: 'https://a.example/x',
  route: 'r',
  tags: ['t'],
  data: { status: 200 },
  ...more,
});

const folders: string[] = [];

export function storeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gw-disk-'));
  folders.push(folder);
  return folder;
}

export function removeStoreFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export interface DatabaseKit {
  readonly database: ContentDatabase;
  readonly memory: DiskMemory;
  put(key: string, body: Buffer | string, facts?: ContentFacts, owner?: string, keeps?: boolean): string;
  get(key: string, owner?: string): string | undefined;
}

export function openDatabase({
  path = storeFolder(),
  size = 16 * MIB,
  entries = 10_000,
  now = () => 1_000_000,
}: {
  path?: string;
  size?: number;
  entries?: number;
  now?: () => number;
} = {}): DatabaseKit {
  const memory = new DiskMemory(DiskMemory.allocate());
  const database = new ContentDatabase({ path, size, entries, memory, now });
  return {
    database,
    memory,
    put(key, text, facts = factsOf(), owner = 'a', keeps = false) {
      const body = Buffer.from(text);
      let outcome = '';
      database.batch(() => {
        const crc = checksum(body);
        outcome = database.put({ owner, key, facts, keeps, parts: [body], length: body.length, crc });
      });
      return outcome;
    },
    get: (key, owner = 'a') => {
      const found = database.get({ owner, key });
      return found && Buffer.from(found.body).toString();
    },
  };
}

export interface WorkerKit {
  readonly client: DiskClient;
  readonly tiered: TieredContents;
  readonly store: ContentStore;
}

/** Contents of one worker: memory of its own or `shared`, without a store. */
export function workerOf({
  memory,
  shared = MemoryContents.allocate({ workers: 4, bytes: 4 * MIB }),
  worker = 0,
  after = systemAfter,
  limits = {},
  maxEntry = MIB,
  now = () => 1_000_000,
}: {
  memory: DiskMemory;
  shared?: SharedArrayBuffer;
  worker?: number;
  after?: After;
  limits?: Partial<ClientLimits>;
  maxEntry?: number;
  now?: () => number;
}): WorkerKit {
  const client = new DiskClient({ memory, after, limits });
  const tiered = new TieredContents({ memory: new MemoryContents(shared, now, worker), disk: client, now });
  return { client, tiered, store: tiered.store('a', { maxEntry, disk: true }) };
}

export interface ServedStore extends DatabaseKit {
  readonly server: StoreServer;
  readonly trouble: { readonly cause: string; readonly kind: Trouble }[];
  connect(client: DiskClient): void;
  close(): Promise<void>;
}

export function serveStore(options: Parameters<typeof openDatabase>[0] & { memory?: DiskMemory } = {}): ServedStore {
  const kit = openDatabase(options);
  const trouble: { cause: string; kind: Trouble }[] = [];
  const memory = options.memory ?? kit.memory;
  const server = new StoreServer({
    database: kit.database,
    memory,
    trouble: (cause, kind) => void trouble.push({ cause, kind }),
  });
  return {
    ...kit,
    memory,
    server,
    trouble,
    connect(client) {
      const { port1, port2 } = new MessageChannel();
      server.connect(port2);
      client.connect(port1);
    },
    async close() {
      await server.close();
      await kit.database.close();
    },
  };
}

export function putInto(store: ContentStore, key: string, body: Buffer | string, facts = factsOf()): boolean {
  const bytes = Buffer.from(body);
  const writer = store.put(key, facts, bytes.length);
  if (writer === undefined || (bytes.length > 0 && !writer.write(bytes))) return false;
  writer.commit();
  return true;
}

export async function readFrom(store: ContentStore, key: string): Promise<string | undefined> {
  const content: Content | undefined = await store.get(key);
  const text = content && Buffer.concat(content.parts).toString();
  content?.release();
  return text;
}
