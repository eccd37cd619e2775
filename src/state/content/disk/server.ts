/** Answers the threads that use a store. Reads come first; changes are done in their order, many in one transaction. */
import type { MessagePort } from 'node:worker_threads';
import { messageOf } from '../../../reason.js';
import type { ContentSelector, ListedContent } from '../types.js';
import type { ContentDatabase, PutOutcome, Selected } from './database.js';
import { type DiskMemory, slotsOf, Unapplied } from './memory.js';
import type { DiskChange, StoreAnswer, StoreCall } from './protocol.js';

/** Of one transaction. */
const MAX_CHANGES = 128;
const MAX_BYTES = 8 * 1024 * 1024;

type Get = Extract<StoreCall, { op: 'get' }>;
type List = Extract<StoreCall, { op: 'list' }>;
type Put = Extract<StoreCall, { op: 'put' }>;
type Refresh = Extract<StoreCall, { op: 'refresh' }>;

interface Link {
  readonly port: MessagePort;
  unapplied: Unapplied | undefined;
}

interface Asked<Call> {
  readonly link: Link;
  readonly call: Call;
}

/** An error of lmdb: `lost` of something that may be missing, `undone` of a delete or purge, `damaged` of the file itself. */
export type Trouble = 'lost' | 'undone' | 'damaged';

export interface ServerOptions {
  readonly database: ContentDatabase;
  readonly memory: DiskMemory;
  readonly trouble: (cause: string, kind: Trouble) => void;
}

export class StoreServer {
  readonly #options: ServerOptions;
  readonly #links = new Set<Link>();
  readonly #gets: Asked<Get>[] = [];
  readonly #lists: Asked<List>[] = [];
  readonly #changes: Asked<Put | Refresh | DiskChange>[] = [];
  #working: Promise<void> | undefined;
  #closed = false;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  connect(port: MessagePort): void {
    const link: Link = { port, unapplied: undefined };
    this.#links.add(link);
    port.on('message', (call: StoreCall) => this.#take(link, call));
    port.on('close', () => this.#left(link));
  }

  /** Does what it was asked, and closes the ports; the database stays open. */
  async close(): Promise<void> {
    // What has been sent is there within a turn.
    for (let rest = 2; rest > 0; rest--) {
      await turn();
      await this.#working;
    }
    this.#closed = true;
    for (const { port } of this.#links) port.close();
  }

  /** Its thread has ended: what it has not sent will never come. */
  #left(link: Link): void {
    this.#links.delete(link);
    // What it has sent is done first, and counted there.
    void (this.#working ?? Promise.resolve()).then(() => this.#appliedAll(link));
  }

  #take(link: Link, call: StoreCall): void {
    if (this.#closed) return;
    if (call.op === 'hello') {
      link.unapplied = new Unapplied(call.unapplied);
      return;
    }
    if (call.op === 'bye') {
      link.unapplied = undefined;
      return;
    }
    if (call.op === 'get') this.#gets.push({ link, call });
    else if (call.op === 'list') this.#lists.push({ link, call });
    else this.#changes.push({ link, call });
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async #work(): Promise<void> {
    // Messages that have arrived together are done together.
    await turn();
    while (this.#gets.length > 0 || this.#changes.length > 0 || this.#lists.length > 0) {
      this.#read();
      await this.#change();
      await this.#list();
      await turn();
    }
  }

  #read(): void {
    for (const { link, call } of this.#gets.splice(0)) {
      try {
        const found = this.#options.database.get(call);
        if (found === undefined) {
          this.#answer(link, { type: 'none', id: call.id });
          continue;
        }
        const { facts, soft, body } = found;
        this.#answer(link, { type: 'content', id: call.id, facts, soft, body }, body.buffer);
      } catch (error) {
        this.#failed(error);
        this.#answer(link, { type: 'none', id: call.id });
      }
    }
  }

  /** The next changes: a purge, which takes several transactions, or all others before one, in one transaction. */
  async #change(): Promise<void> {
    const first = this.#changes[0];
    if (first === undefined) return;
    if (first.call.op === 'purge' || first.call.op === 'clear') {
      this.#changes.shift();
      await this.#purge({ link: first.link, call: first.call });
      return;
    }
    const batch: Asked<Put | Refresh | Extract<DiskChange, { op: 'delete' }>>[] = [];
    let bytes = 0;
    while (batch.length < MAX_CHANGES && bytes < MAX_BYTES) {
      const next = this.#changes[0];
      if (next === undefined || next.call.op === 'purge' || next.call.op === 'clear') break;
      this.#changes.shift();
      batch.push({ link: next.link, call: next.call });
      if (next.call.op === 'put') bytes += next.call.length;
    }
    this.#commit(batch);
  }

  #commit(batch: readonly Asked<Put | Refresh | Extract<DiskChange, { op: 'delete' }>>[]): void {
    const { database, memory } = this.#options;
    const counted: (() => void)[] = [];
    try {
      database.batch(() => {
        for (const { call } of batch) {
          if (call.op === 'put') this.#put(call, counted);
          else if (call.op === 'refresh') this.#refresh(call, counted);
          else if (database.delete(call)) counted.push(() => memory.count('deleted'));
        }
      });
      for (const count of counted) count();
    } catch (error) {
      this.#failed(error);
      if (batch.length > 1) {
        // One of them may be what fails.
        for (const one of batch) this.#commit([one]);
        return;
      }
      const [one] = batch;
      // It is not applied, so that its content stays unused. The next store does it.
      if (one?.call.op === 'delete') {
        this.#failed(error, 'undone');
        return;
      }
      if (one?.call.op === 'put') this.#dropOlder(one.call);
    }
    for (const { link, call } of batch) {
      if (call.op === 'delete') this.#applied(link, call.slot);
      this.#answer(link, { type: 'done', id: call.id, count: 0 });
    }
  }

  /** A content was not written, as on a full disk: an older one with its key, which memory has replaced, must not come back. */
  #dropOlder(call: Put): void {
    try {
      this.#options.database.batch(() => void this.#options.database.delete(call));
    } catch (error) {
      this.#failed(error, 'undone');
    }
  }

  #put(call: Put, counted: (() => void)[]): void {
    const { database, memory } = this.#options;
    const count = (name: Parameters<DiskMemory['count']>[0]): void => void counted.push(() => memory.count(name));
    const outrun = memory.stamp(slotsOf(call.owner, call.key, call.facts)) !== call.stamp;
    const outcome: PutOutcome | 'outrun' = outrun ? 'outrun' : database.put(call);
    // An older content with its key, which memory has replaced, must not come back.
    if (outcome !== 'written') database.delete(call);
    count(outcome === 'full' ? refusal(call) : outcome);
  }

  #refresh(call: Refresh, counted: (() => void)[]): void {
    const { database, memory } = this.#options;
    const outrun = memory.stamp(call.slots) !== call.stamp;
    const done = !outrun && database.refresh(call, call.facts);
    counted.push(() => memory.count(done ? 'refreshed' : 'outrun'));
  }

  async #purge({ link, call }: Asked<Extract<DiskChange, { op: 'purge' | 'clear' }>>): Promise<void> {
    const { database, memory } = this.#options;
    let count = 0;
    try {
      if (call.op === 'clear' && (call.kept || !database.keeps)) count = database.clear();
      else {
        const range = call.op === 'clear' ? undefined : rangeOf(call.owner, call.selector);
        const soft = call.op !== 'clear' && call.soft;
        for (let after: Buffer | undefined, first = true; first || after !== undefined; first = false) {
          const step = range === undefined ? database.clearStep(after) : database.purgeStep(range, soft, after);
          count += step.count;
          after = step.next;
          // Readers need not wait: what is to be purged is not used.
          this.#read();
          await turn();
        }
      }
    } catch (error) {
      this.#failed(error, 'undone');
      return;
    }
    memory.count('deleted', count);
    if (call.op === 'clear') this.#appliedAll(link);
    else this.#applied(link, call.slot);
    this.#answer(link, { type: 'done', id: call.id, count });
  }

  /** The next list, in steps between which others are answered. */
  async #list(): Promise<void> {
    const next = this.#lists.shift();
    if (next === undefined) return;
    const { owner, selector, most, id } = next.call;
    const contents: ListedContent[] = [];
    try {
      const range = rangeOf(owner, selector);
      for (let after: Buffer | undefined, first = true; first || after !== undefined; first = false) {
        const step = this.#options.database.listStep(range, after);
        contents.push(...step.contents);
        after = contents.length < most ? step.next : undefined;
        this.#read();
        await turn();
      }
    } catch (error) {
      this.#failed(error);
    }
    this.#answer(next.link, { type: 'list', id, contents: contents.slice(0, most) });
  }

  #applied({ unapplied }: Link, slot: number): void {
    if (unapplied?.takeOne(slot) === true) this.#options.memory.applied(slot);
  }

  #appliedAll({ unapplied }: Link): void {
    for (const [slot, times] of unapplied?.take() ?? []) this.#options.memory.applied(slot, times);
  }

  #answer({ port }: Link, answer: StoreAnswer, transferred?: ArrayBuffer): void {
    port.postMessage(answer, transferred === undefined ? [] : [transferred]);
  }

  #failed(error: unknown, kind: Trouble = 'lost'): void {
    this.#options.memory.count('errors');
    this.#options.trouble(messageOf(error), isDamage(error) ? 'damaged' : kind);
  }
}

/** What the error codes of lmdb say of the file: a page is missing or wrong, or its head is. */
const DAMAGE: ReadonlySet<unknown> = new Set([-30797, -30796, -30795, -30793]);

export const isDamage = (error: unknown): boolean =>
  error instanceof SyntaxError || (error instanceof Error && 'code' in error && DAMAGE.has(error.code));

/** What is counted if there is no room for a content. */
const refusal = ({ keeps, facts }: Put): 'keptRefused' | 'foreverRefused' | 'full' =>
  keeps ? 'keptRefused' : facts.expiresAt === Number.POSITIVE_INFINITY ? 'foreverRefused' : 'full';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function rangeOf(owner: string, selector: ContentSelector): Selected {
  if (selector.by === 'all') return { owner, kind: 'o', text: '', whole: true };
  const { by, value } = selector;
  if (by === 'url' && value.endsWith('*')) return { owner, kind: 'u', text: value.slice(0, -1), whole: false };
  return { owner, kind: by === 'url' ? 'u' : by === 'route' ? 'r' : 't', text: value, whole: true };
}
