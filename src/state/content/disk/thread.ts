/** Entry point of the store thread: the one that uses lmdb. It ends when it cannot go on; control starts another one. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../../reason.js';
import { OWNER_RENEW_MS } from '../../folder-lock.js';
import { ContentDatabase } from './database.js';
import { DiskMemory } from './memory.js';
import { StorePlace } from './place.js';
import type { StoreOrder, StoreReport, StoreSetup } from './protocol.js';
import { isDamage, StoreServer, type Trouble } from './server.js';
import { FormatError } from './tables.js';

if (!parentPort) throw new Error('thread.js runs as a worker thread only.');
const control: MessagePort = parentPort;

const tell = (report: StoreReport): void => control.postMessage(report);

function serve({ path, size, entries, memory: buffer, token, owners }: StoreSetup): void {
  const memory = new DiskMemory(buffer);
  const place = new StorePlace(path, token);
  const by = place.claim();
  if (by !== undefined) {
    tell({ type: 'taken', by });
    control.close();
    return;
  }
  const database = openDatabase(place, { path, size, entries, memory, now: Date.now, progress: progressReports() });
  database.setOwners(owners);
  memory.set('open', 1);
  const server = new StoreServer({ database, memory, trouble: (cause, kind) => trouble(cause, kind) });
  let ending = false;

  const end = async (): Promise<void> => {
    if (ending) return;
    ending = true;
    clearInterval(renewal);
    memory.set('open', 0);
    await server.close();
    await database.close();
    place.release();
    control.close();
  };

  /** Leaves what is open as it is: the next thread checks it. */
  const giveUp = (cause: string): void => {
    memory.set('open', 0);
    tell({ type: 'failed', cause });
    process.exit(1);
  };

  const trouble = (cause: string, kind: Trouble): void => {
    if (kind === 'lost') {
      tell({ type: 'trouble', cause });
      return;
    }
    if (kind === 'damaged') {
      place.moveAside();
      tell({ type: 'movedAside', cause });
    }
    giveUp(cause);
  };

  const renewal = setInterval(() => {
    try {
      if (!place.renew()) giveUp('another gateway has taken its folder');
    } catch (error) {
      giveUp(messageOf(error));
    }
  }, OWNER_RENEW_MS);

  control.on('message', (order: StoreOrder) => {
    if (order.order === 'connect') server.connect(order.port);
    else if (order.order === 'owners') database.setOwners(order.owners);
    else if (order.order === 'ping') tell({ type: 'alive' });
    else void end();
  });
  const { bytes, entries: stored } = memory.stats();
  tell({ type: 'open', entries: stored, bytes });
}

/** Milliseconds between two reports of a thread that reads the whole store. */
const REPORT_EVERY_MS = 1000;

function progressReports(): () => void {
  let last = performance.now();
  return () => {
    const now = performance.now();
    if (now - last < REPORT_EVERY_MS) return;
    last = now;
    tell({ type: 'alive' });
  };
}

/** A file that lmdb does not open, or that it finds damaged, is moved aside once. */
function openDatabase(place: StorePlace, options: ConstructorParameters<typeof ContentDatabase>[0]): ContentDatabase {
  for (let attempt = 0; ; attempt++) {
    const damage = place.begin();
    if (damage !== undefined) tell({ type: 'movedAside', cause: damage });
    try {
      const database = new ContentDatabase(options);
      place.opened();
      return database;
    } catch (error) {
      if (attempt > 0 || !(isDamage(error) || error instanceof FormatError)) throw error;
      place.moveAside();
      tell({ type: 'movedAside', cause: messageOf(error) });
    }
  }
}

serve(workerData as StoreSetup);
